"""The demo on the real model: its port is right, and each seeded bug is found where it was put."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from porting import Portfile, Verification, open_trace, verify_portfile
from porting.demo import BUGS, write_demo
from porting.errors import OutputError, PortingError
from porting.trace import save_trace
from porting.weights import build_on_meta, check_weights

SCHEMA = Path(__file__).parents[2] / "docs" / "verify.schema.json"
TRACE_SCHEMA = SCHEMA.with_name("trace.schema.json")


@pytest.fixture(scope="module")
def portfile(tmp_path_factory: pytest.TempPathFactory) -> Portfile:
    return Portfile.load(write_demo(tmp_path_factory.mktemp("demo") / "porting-demo"))


@pytest.fixture(scope="module")
def healthy(portfile: Portfile) -> Verification:
    return verify_portfile(portfile)


def test_the_real_port_is_a_match(healthy: Verification) -> None:
    assert healthy.verdict == "match"
    assert [output.name for output in healthy.comparison.outputs] == ["last_hidden_state", "pooler_output"]
    assert all(output.numbers.max_abs < 1e-5 for output in healthy.comparison.outputs)
    assert all(output.numbers.max_abs > 0 for output in healthy.comparison.outputs)


def test_traces_of_the_demo_follow_their_schema(healthy: Verification, tmp_path: Path) -> None:
    schema = json.loads(TRACE_SCHEMA.read_text(encoding="utf-8"))
    for trace in (healthy.original, healthy.ported):
        folder = save_trace(trace, tmp_path / "trace")
        jsonschema.Draft202012Validator(schema).validate(json.loads((folder / "manifest.json").read_text()))
        assert "layer.{0...5}" in str(open_trace(folder).tree())


def test_nothing_weakens_the_demo(healthy: Verification) -> None:
    assert healthy.warnings == ()
    assert healthy.isolation.noise_measured


def test_every_module_with_a_counterpart_is_aligned(healthy: Verification) -> None:
    alignment = healthy.comparison.alignment
    assert all(original == ported for original, ported in alignment.pairs)
    assert len(alignment.pairs) == 107
    functional_in_the_original = {f"encoder.layer.{layer}.intermediate.intermediate_act_fn" for layer in range(6)}
    functional_in_the_port = {f"encoder.layer.{layer}.attention.self.dropout" for layer in range(6)}
    assert set(alignment.unmatched_ported) == functional_in_the_original
    assert set(alignment.unmatched_original) == functional_in_the_port


def test_no_module_is_near_its_noise_floor(healthy: Verification) -> None:
    ratios = [seen.floor.ratio(seen.numbers) or 0.0 for seen in healthy.isolation.observations]
    assert max(ratios) < 5


def test_there_are_at_least_eight_bugs() -> None:
    asked = {
        "activation", "norm-eps", "missing-residual", "swapped-qk", "unloaded-weight", "position-offset",
        "attention-scale", "dropout",
    }  # fmt: skip
    assert asked <= set(BUGS)


@pytest.mark.parametrize("name", BUGS)
def test_a_seeded_bug_is_found_where_it_was_put(tmp_path: Path, name: str) -> None:
    verification = verify_portfile(Portfile.load(write_demo(tmp_path / "porting-demo", BUGS[name])))
    assert verification.verdict in ("mismatch", "suspicious")
    assert verification.culprits[0].ported == BUGS[name].culprit
    assert verification.culprits[0].differences
    assert verification.culprits[0].proven is not None
    assert verification.culprits[0].proven.code == BUGS[name].cause
    jsonschema.validate(verification.to_dict(), schema())


def test_the_json_document_is_valid_by_the_schema(healthy: Verification) -> None:
    jsonschema.validate(json.loads(json.dumps(healthy.to_dict(), allow_nan=False)), schema())


def test_an_epsilon_far_below_the_tolerance_is_suspicious(tmp_path: Path) -> None:
    verification = verify_portfile(Portfile.load(write_demo(tmp_path / "porting-demo", BUGS["norm-eps"])))
    assert verification.verdict == "suspicious"
    assert "eps is 1e-05, the original's variance_epsilon is 1e-12" in verification.culprits[0].differences


def test_the_checkpoint_has_every_weight_of_the_port(portfile: Portfile) -> None:
    checkpoint = portfile.checkpoint()
    assert checkpoint is not None
    report = check_weights(
        checkpoint, build_on_meta(portfile.ported_class(), portfile.config()), portfile.call("rules"), strict=True
    )
    assert report.ok
    assert not report.findings


def test_only_an_earlier_demo_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "porting-demo"
    write_demo(folder)
    (folder / "mine.txt").write_text("mine")
    (folder / "traces").mkdir()
    write_demo(folder, BUGS["dropout"])
    assert (folder / "mine.txt").read_text() == "mine"
    assert not (folder / "traces").exists()
    assert 'BUGS["dropout"]' in (folder / "portfile.py").read_text()
    (folder / "portfile.py").write_text("# mine")
    with pytest.raises(OutputError, match="was edited"):
        write_demo(folder)
    assert (folder / "portfile.py").read_text() == "# mine"
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("one")
    with pytest.raises(OutputError, match="not an earlier demo"):
        write_demo(other)
    assert (other / "chapter.txt").read_text() == "one"


def test_the_folder_is_a_project_of_its_own_in_which_slow_tests_run(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -m 'not slow'\n", encoding="utf-8")
    folder = write_demo(tmp_path / "inner").parent
    (folder / "test_one.py").write_text("import pytest\n@pytest.mark.slow\ndef test_one(): pass\n", encoding="utf-8")
    arguments = ["-p", "no:cacheprovider", "-W", "error", "--strict-markers", str(folder / "test_one.py")]
    done = subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert "1 passed" in done.stdout, done.stdout


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("porting.demo.folder.find_spec", lambda _: None)
    with pytest.raises(PortingError, match="pytorch_pretrained_bert"):
        write_demo(tmp_path / "porting-demo")


def schema() -> Any:
    return json.loads(SCHEMA.read_text())
