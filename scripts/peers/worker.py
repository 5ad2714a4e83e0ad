"""One peer in a process of its own, for compare.py: requests on stdin, answers on stdout, a line of JSON each.

    python worker.py ENGINE UNET_FOLDER INPUTS THREADS
    python worker.py roofline - - THREADS

`run BATCH TIMES` gives {"ms": [..]}; `output BATCH` gives {"output": [..]}; for the roofline, `run NAME TIMES`.
"""

import json
import os
import sys
import time

threads = int(sys.argv[4])
os.environ["OMP_NUM_THREADS"] = str(threads)
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import engines  # noqa: E402  (reads OMP_NUM_THREADS)
from safetensors.torch import load_file  # noqa: E402


def main():
    name, folder, inputs = sys.argv[1:4]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    if name == "roofline":
        pieces = engines.roofline(threads)
        runs = {k.replace(" ", "_"): run for k, (run, _) in pieces.items()}
        flops = {k.replace(" ", "_"): g for k, (_, g) in pieces.items()}
        build = runs.__getitem__
    else:
        flops = {}
        make = engines.ENGINES[name](folder, load_file(inputs), threads)
        build = lambda batch: make(int(batch))  # noqa: E731
    built = {}
    for line in sys.stdin:
        what, batch, *rest = line.split()
        if batch not in built:
            built[batch] = build(batch)
        run = built[batch]
        if what == "output":
            answer = {"output": engines.as_array(run()).ravel().tolist()}
        else:
            ms = []
            for _ in range(int(rest[0])):
                start = time.perf_counter()
                run()
                ms.append(1e3 * (time.perf_counter() - start))
            answer = {"ms": ms, "gflop": flops.get(batch)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


main()
