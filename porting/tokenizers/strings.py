"""Strings that tokenizers get wrong, by category; written with escapes where an editor would change them."""

from __future__ import annotations

from collections.abc import Mapping

HARD: Mapping[str, tuple[str, ...]] = {
    "plain": (
        "Hello world", "hello", "The quick brown fox jumps over the lazy dog.", "a", "I", "Z", "don't", "of",
        "Tokenization is not the same as splitting on spaces.", "unbelievably", "antidisestablishmentarianism",
        "A sentence. Another one! A third? And a fourth; with, commas: and colons.", "internationalization",
        "running runner ran runs", "dogs and cats", "Straightforwardly", "electroencephalographically",
        "first second third", "the the the the", "xylophones qwertyuiop zxcvbnm", "bbbb", "aaaaaaaaaaaaaaaa",
    ),
    "empty and short": (
        "", ".", "!", "?", "'", '"', "-", "_", "#", "@", "&", "0", "7", "é", "中", "\u00a0", "😀",
    ),
    "whitespace": (
        " ", "  ", "   ", "        ", "\t", "\n", "\r", "\r\n", "\n\n", "\n\n\n", "\t\t", " \t \n ", " hello",
        "  hello", "hello ", "hello  ", " hello ", "\thello", "hello\n", "\nhello", "a b", "a  b", "a   b",
        "a    b", "a\tb", "a\t\tb", "a\nb", "a\n\nb", "a \n b", "a\r\nb", "one two  three   four",
        "a\n  b\n    c", "    indented\n        more", "trailing   \n", "x \n\n y", "  leading and trailing  ",
    ),
    "other spaces": (
        "a\u00a0b", "\u00a0a", "a\u00a0", "a\u2009b", "a\u2003b", "a\u3000b", "a\u202fb", "a\u200bb",
        "a\u2028b", "a\u2029b", "a\u1680b", "a\u000bb", "a\u000cb", "a\u2060b", "a\u00a0\u00a0b", "a \u00a0 b",
        "\ufeffhello", "he\u00adllo",
    ),
    "casing": (
        "HELLO WORLD", "Hello World", "hELLO wORLD", "iPhone McDonald", "CamelCaseWord", "snake_case_word",
        "ALLCAPS", "\u0130stanbul", "\u0131s\u0131", "DI\u015e", "stra\u00dfe", "STRASSE", "\u1e9e", "\u03a3a",
        "\u03c3\u03c2", "\u01c5", "\ufb01ne", "\ufb03", "\u212a", "\u212b", "NASA's", "I'M", "eBay USA",
        "A.B.C.", "PhD MSc",
    ),
    "accents": (
        "caf\u00e9", "na\u00efve r\u00e9sum\u00e9", "\u00c9cole", "\u00c0 bient\u00f4t",
        "Stra\u00dfe \u00fcber \u00d6l", "\u00f1and\u00fa", "\u00e5ngstr\u00f6m", "\u0141\u00f3d\u017a",
        "\u010desk\u00fd", "\u0219i \u021bar\u0103", "\u00f8re", "\u00e6sir", "\u00fe\u00f3r", "\u0111\u1ed3ng",
        "Vi\u1ec7t Nam", "\u00e7a", "\u0175", "\u00bfqu\u00e9?",
    ),
    "combining marks": (
        "cafe\u0301", "e\u0301", "\u00e9", "n\u0303", "\u0041\u030a", "\u00c5", "\u0301", "\u0301a", "\uac01",
        "\u0915\u094d\u0937\u093f", "\u0e19\u0e49\u0e33", "q\u0323\u0307", "\u2126", "\u03a9",
    ),
    "compatibility": (
        "\uff21\uff22\uff23", "\uff11\uff12\uff13", "\u00bd", "x\u00b2", "H\u2082O", "\u2460", "\u2122",
        "\u2167", "\u33a1", "\u3300", "\ufdfa", "\u2026", "\u2025", "\u00aa", "\u01c4", "\U0001d400\U0001d41b",
        "\uff01", "\uff0c\u3002", "\u2163\u2170",
    ),
    "CJK": (
        "\u4e2d\u6587", "\u4f60\u597d\uff0c\u4e16\u754c", "\u6211\u7231NLP", "\u65e5\u672c\u8a9e",
        "\u30c6\u30b9\u30c8", "\u3072\u3089\u304c\u306a", "\u6771\u4eac\u30bf\u30ef\u30fc",
        "\ud55c\uad6d\uc5b4", "\uc548\ub155\ud558\uc138\uc694", "\u4e2d a \u6587", "a\u4e2db",
        "\u4e2d\u6587\u3002\u6587", "\u3400\u3401", "\U00020000", "\u9fa5\u9fa6", "\uf900",
        "2024\u5e741\u67081\u65e5", "\u5341\u4e8c", "\u3007", "\u4e00\u4e8c\u4e09",
    ),
    "emoji": (
        "\U0001f600", "\U0001f600\U0001f600", "a\U0001f600b", "a \U0001f600 b", "\u2764\ufe0f", "\u2764",
        "\u263a\ufe0f", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f1e9\U0001f1ea",
        "\U0001f1fa\U0001f1f8\U0001f1eb", "\U0001f44d\U0001f3fd", "\U0001f3f3\ufe0f\u200d\U0001f308",
        "1\ufe0f\u20e3", "\U0001f9d1\u200d\U0001f4bb", "ok\U0001f44c\U0001f3fb!", "\u00a9\u00ae\u2122",
        "\u2192\u21d2",
    ),
    "right to left": (
        "\u0645\u0631\u062d\u0628\u0627", "\u0627\u0644\u0633\u0644\u0627\u0645 \u0639\u0644\u064a\u0643\u0645",
        "\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd",
        "\u0643\u0650\u062a\u0627\u0628", "abc \u05d0\u05d1\u05d2 def", "\u200fabc\u200e", "\u202eabc\u202c",
        "\u0661\u0662\u0663", "\u06f1\u06f2", "\ufefb", "\u0644\u0627", "\u0640\u0640",
    ),
    "other scripts": (
        "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!", "\u0439", "\u0438\u0306", "\u0451\u0436",
        "\u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac", "\u039a\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1",
        "\u0928\u092e\u0938\u094d\u0924\u0947", "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd",
        "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u10e5\u10d0\u10e0", "\u0540\u0561\u0575",
        "\u1230\u120b\u121d", "\u13a0\u13a1", "\U00010330\U00010331", "Hello \u043c\u0438\u0440 \u4e16\u754c",
        "\u0440aypal", "latin\u043a\u0438\u0440\u0438\u043b", "\u03b1bc",
    ),
    "numbers": (
        "1", "12", "123", "1234", "12345", "1234567", "1234567890123", "3.14159", "1,000,000", "1 000 000",
        "-5", "+7", "1e10", "0x1F", "50%", "$9.99", "\u20ac10", "10km", "a1b2c3", "covid19", "2024-01-31",
        "12:30:59", "1/2", "007", "1st 2nd", "192.168.0.1", "+49 (0)30 1234-567", "100000", "0.000001", "1_000",
        "v1.2.3", "9" * 40, "x86_64",
    ),
    "punctuation": (
        "!!!", "...", "?!", "--", "---", "(a)", "[a]", "{a}", "<a>", '"quoted"', "'quoted'",
        "\u201cquoted\u201d", "\u2018a\u2019", "a\u2014b", "a\u2013b", "a-b", "a_b", "a/b", "a\\b", "a|b",
        "~a~", "a*b", "^", "`a`", "a;b:c,d", "#tag @user", "a&b", "=>", "::", "\u00abmot\u00bb", "\u2026",
        "$$$", "Mr. Smith, Jr.", "hello,world", "\u00a1hola!", "well...", "wait , what ?", "\u3010a\u3011",
        "a+b=c", "\u00b7", "\u2022 item",
    ),
    "contractions": (
        "I'm you're he'll we've they'd", "it's", "IT'S", "don\u2019t", "can't won't", "y'all", "'tis",
        "rock'n'roll", "O'Neill", "the dogs'", "I'Ve", "l'\u00e9cole", "d'abord", "'s", "'ll", "''s",
        "dog's house", "do not can not", "IT'SEASY", "We'Llama", "a n't b", "they 're",
    ),
    "code": (
        "def f(x):\n    return x ** 2\n", "for (int i = 0; i < 10; ++i) { a[i] += 1; }", "if x == 1:\n\tpass",
        'print("Hello, World!")', "x = {'a': [1, 2, 3]}", "SELECT * FROM t WHERE a='b';",
        "<div class=\"x\">a</div>", "a->b::c()", "// comment", "#include <stdio.h>", "self.__init__",
        "lambda: None", "\\n\\t\\x00", "r'\\d+'", "import os, sys", "&amp;&lt;", "```python\nx\n```",
        "$HOME/.bashrc", "    }\n}\n", "foo(bar)[0].baz", "i++",
    ),
    "addresses": (
        "https://example.com/a/b?c=d&e=f#g", "http://www.example.org", "user.name+tag@example.co.uk",
        "C:\\dir\\file.txt", "/usr/local/bin", "ftp://a.b", "www.x.y", "file.tar.gz", "@handle",
        "https://\u4f8b\u3048.jp", "::1", "a@b.c",
    ),
    "control characters": (
        "a\u0000b", "\u0000", "a\u0001b", "a\u0007b", "a\u001bb", "\u001b[31mred", "a\u007fb", "a\u0080b",
        "a\u009fb", "a\ufffdb", "\ufffd", "a\u200db", "a\u200cb", "a\u200eb", "a\u0008",
    ),
    "private use": (
        "\ue000", "a\ue000b", "\uf8ff", "\U000f0000", "\U000e0001",
    ),
    "unassigned": (
        "\U0010ffff", "\u0378", "a\u0378b", "\ufffe", "\uffff", "\U0001fffe",
    ),
    "stacked marks": (
        "o\u0308\u0304", "a\u0301\u0301\u0301", "z\u0351\u036b\u0343a\u030d\u0346l\u0334\u0321g\u0321\u031f",
        "\u1100\u1161\u11a8", "\uff76\uff9e", "q\u0307\u0323", "A\u030a\u0301",
    ),
    "context-dependent": (
        "\u03a3\u03a3", "\u039f\u0394\u039f\u03a3", "a\u0085b", "\u0085", "a\u001cb",
    ),
    "rare characters": (
        "\U00012000", "\U00013000", "\u16a0\u16a1", "\u2800\u2801", "\u2581\u2582", "\U0001f0a1", "\U0001d11e",
        "\u4dc0", "\u2603", "\u0f00", "\u1d2c", "\ua4d0", "\U0001f9ff", "\U00010400", "a\U00013000b",
    ),
    "conventions": (
        "\u2581", "\u2581hello", "hello\u2581world", "a\u2581 b", "\u2581\u2581", "##", "##ing", "run ##ning",
        "a##b", "\u0120hello", "\u0120", "\u010a", "</w>", "hello</w>", "@@", "new@@ est", "<0x41>", "<0x0A>",
        "\u2585", "a@@ b",
    ),
}  # fmt: skip
"""Texts by what makes them hard."""

OTHER_TOKENS = (
    "<s>", "</s>", "<pad>", "<mask>", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "<|endoftext|>", "<|im_start|>",
    "<|im_end|>", "<bos>", "<eos>", "<start_of_turn>", "<|begin_of_text|>", "<|eot_id|>", "<|assistant|>",
    "[INST]", "<<SYS>>", "<think>", "<|fim_prefix|>", "<extra_id_0>", "<image>", "<|startoftranscript|>",
    "<|notimestamps|>", "<|en|>", "<cls>", "<sep>",
)  # fmt: skip
"""Control tokens of many models: for a tokenizer that lacks one of its own, or has one of another's."""

FAMILIES: Mapping[str, str] = {
    "words": "The quick brown fox, in 1984, jumped over 13 lazy dogs. ",
    "one word": "antidisestablishmentarianism",
    "one letter": "a",
    "digits": "1234567890",
    "spaces": " ",
    "CJK": "\u4f60\u597d\u4e16\u754c",
    "punctuation": "!?",
}
"""What very long texts repeat."""
