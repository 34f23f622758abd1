from __future__ import annotations

import pickle
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import hostile
import pytest

from porting.pickles import machine as machines
from porting.pickles.catalogue import catalogue
from porting.pickles.machine import Machine
from porting.pickles.standins import RefusedError, Tensor

ROOT = Path(__file__).parents[2]


def interpreted(raw: bytes) -> Any:
    machine = Machine(raw)
    described = machine.run()
    assert not machine.foreign
    return described


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_are_what_pickle_gives(protocol: int) -> None:
    value = {
        "numbers": [0, 255, 65535, -1, 2**31 - 1, -(2**40), 2**100, 1.5, float("inf")],
        "texts": ("", "a", "ü" * 300, "\x00\x1b"),
        "flags": [True, False, None],
        "nested": {1: {(): [{}]}, (1, "a"): []},
        "many": list(range(3000)),
        "same": [OrderedDict(a=1)] * 2,
    }
    assert interpreted(pickle.dumps(value, protocol)) == value


def test_what_is_remembered_is_the_same_object() -> None:
    shared = ["x"]
    first, second = interpreted(pickle.dumps([shared, shared], 2))
    assert first is second


def test_a_tensor_is_recorded_and_not_built() -> None:
    described = interpreted(hostile.pickled({"w": hostile.tensor(offset=1, size=(3,))}))
    tensor = described["w"]
    assert isinstance(tensor, Tensor)
    assert (tensor.dtype, tensor.offset, tensor.shape, tensor.stride) == ("float32", 1, (3,), (1,))
    assert (tensor.storage.key, tensor.storage.numel) == ("0", 4)


def test_every_foreign_name_is_listed_and_none_is_called(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return print, (hostile.system(tmp_path / "marker"),), {"a": hostile.Calls(eval, "1")}

    machine = Machine(pickle.dumps([Evil()], 4))
    machine.run()
    assert set(machine.foreign) == {"builtins.print", "posix.system", "builtins.eval"}
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b".",
        b"\x80\x09.",
        b"\x80\x02}",
        b"\x80\x02}}s.",
        b"\x80\x02(K\x01u.",
        b"\x80\x02K\x01K\x02R.",
        b"\x80\x02h\x07.",
        b"\x80\x02X\xff\xff\xff\xffx.",
        b"\x80\x02X\x01\x00\x00\x00\xff.",
        b"\x80\x02}]K\x01s.",
        b"\x80\x02K\x01Q.",
        b"\x80\x02\x86.",
        b"\x80\x05\x96\x01\x00\x00\x00\x00\x00\x00\x00x.",
        b"\x80\x02\x82\x01.",
        b"(i__main__\nX\n.",
        b"\x80\x02ctorch\nfloat32\n)R.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"\x80\x02ccollections\nOrderedDict\n]]K\x01aa\x85R.",
        b"\x80\x02c" + b"x" * 2000 + b"\nx\n.",
    ],
)
def test_broken_programs_are_refused(raw: bytes) -> None:
    with pytest.raises(RefusedError):
        catalogue(Machine(raw).run())


def test_endless_programs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "MAX_STEPS", 1000)
    with pytest.raises(RefusedError, match="1,000 steps"):
        Machine(b"\x80\x02" + b"N0" * 10_000).run()


def test_what_contains_itself_is_no_state_dict() -> None:
    value: dict[str, Any] = {}
    value["self"] = value
    with pytest.raises(RefusedError, match="no state dict"):
        catalogue(interpreted(pickle.dumps(value)))


def test_the_child_starts_without_the_libraries_that_it_does_not_need() -> None:
    code = "import sys; sys.path.append(sys.argv[1]); import porting.pickles.child; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT)], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "porting.pickles.machine" in loaded
    assert not loaded & {"torch", "numpy", "pickle", "porting.weights", "importlib.metadata"}


def test_the_child_can_neither_write_nor_take_much_memory(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.append(sys.argv[1]); from porting.pickles.child import _limit; _limit()\n"
        "for attempt in (lambda: bytearray(1 << 30), lambda: open(sys.argv[2], 'w').write('x')):\n"
        "    try: attempt()\n"
        "    except (MemoryError, OSError) as error: print(type(error).__name__)\n"
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(ROOT), str(tmp_path / "marker")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == [
        "MemoryError",
        "OSError",
    ]
    assert not (tmp_path / "marker").exists()
