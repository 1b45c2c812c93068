"""Compares rows as JSON arrays with rows of tab-separated text, in any order; numbers within 1e-9."""
import json
import sys


def same(actual, expected):
    if isinstance(actual, (int, float)):
        return expected != "" and abs(actual - float(expected)) <= 1e-9 * max(1.0, abs(actual))
    return ("" if actual is None else actual) == expected


name, actual_file, expected_file = sys.argv[1:]
actual = sorted((json.loads(line) for line in open(actual_file) if line.strip()), key=lambda row: [str(v) for v in row])
expected = sorted((line.rstrip("\n").split("\t") for line in open(expected_file)), key=lambda row: [str(v) for v in row])
problems = [] if len(actual) == len(expected) else [f"{len(actual)} rows, expected {len(expected)}"]
problems += [f"got {a}, expected {e}" for a, e in zip(actual, expected) if len(a) != len(e) or not all(map(same, a, e))]
print(f"{name}: {len(expected)} rows, {len(problems)} differences")
for problem in problems[:10]:
    print("  " + problem)
sys.exit(1 if problems or not expected else 0)
