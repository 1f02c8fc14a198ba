"""Put what the parts of `scripts/prove_gpu.sh` found into one file, and say whether it is a proof.

    python scripts/prove_gpu.py FOLDER --device cuda

It needs no package, so that it also tells of an installation that failed.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCHEMA = "inspect-cost/gpu-proof/1"
PARTS = ("install", "machine", "counts", "doctor", "measurements", "tests")
#: An environment that is given is not installed.
OPTIONAL = {"install"}
#: What a measurement on the CPU has to have, and what one on a GPU has to have too.
ALWAYS = ("latency_s",)
ON_GPU = ("energy_j", "energy_net_j", "power_w", "allocated_peak_b")
LAST_LINES = 15

Part = Mapping[str, Any]


def describe_part(folder: Path, name: str) -> Part | None:
    """Return how a part ended, what it found, and the end of its log; None if it never began."""
    status, log, result = (folder / f"{name}.{end}" for end in ("status", "log", "json"))
    if not (status.exists() or log.exists()):
        return None
    how, seconds = status.read_text().split() if status.exists() else ("interrupted", "0")
    return {
        "status": how,
        "seconds": int(seconds),
        "result": json.loads(result.read_text()) if result.exists() else None,
        "log": log.read_text(errors="replace").splitlines()[-LAST_LINES:] if log.exists() else [],
    }


def list_shortcomings(parts: Mapping[str, Part], device: str) -> list[str]:
    """List what is missing for a proof."""
    missing = [name for name in PARTS if name not in parts and name not in OPTIONAL]
    found = [f"{name}: did not begin" for name in missing]
    found += [f"{name}: {part['status']}" for name, part in parts.items() if not is_done(part)]
    counts = read_result(parts, "counts")
    found += [f"{name}: counts differ" for name, pair in counts.items() if not pair["equal"]]
    wanted = ALWAYS if device == "cpu" else (*ALWAYS, *ON_GPU)
    for name, figures in read_result(parts, "measurements").items():
        lacking = [figure for figure in wanted if figures.get(figure) is None]
        if lacking:
            why = figures.get("error") or " ".join(figures.get("notes", ()))
            found.append(f"{name}: no {', '.join(lacking)} ({why})")
    if device != "cpu" and "tests" in parts and not has_passed_tests(parts["tests"]):
        found.append("tests: none ran")
    return found


def is_done(part: Part) -> bool:
    """Whether a part ended well."""
    return bool(part["status"] == "done")


def has_passed_tests(part: Part) -> bool:
    """Whether any test ran and passed, rather than being skipped."""
    return any(" passed" in line for line in part["log"])


def read_result(parts: Mapping[str, Part], name: str) -> Mapping[str, Any]:
    """Return what a part found; nothing if it did not come so far."""
    return (parts[name]["result"] or {}) if name in parts else {}


def write(path: Path, content: object) -> None:
    """Write JSON, either completely or not at all."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(content, indent=1, allow_nan=False))
    unfinished.replace(path)


def main() -> int:
    """Write FOLDER/proof.json; return 1 if something is missing for a proof."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--took", type=int, default=0, help="seconds of everything, to be noted")
    options = parser.parse_args()
    described = {name: describe_part(options.folder, name) for name in PARTS}
    parts = {name: part for name, part in described.items() if part is not None}
    shortcomings = list_shortcomings(parts, options.device)
    proof = {
        "schema": SCHEMA,
        "device": options.device,
        "quick": options.quick,
        "took_s": options.took,
        "passed": not shortcomings,
        "shortcomings": shortcomings,
        "parts": parts,
    }
    write(options.folder / "proof.json", proof)
    print("\n".join([*shortcomings, "NOT passed" if shortcomings else "passed"]))
    print(options.folder / "proof.json")
    return 1 if shortcomings else 0


if __name__ == "__main__":
    sys.exit(main())
