"""One peer in a process of its own, for compare.py: requests on stdin, answers on stdout, a line of JSON each.

    python worker.py ENGINE UNET_FOLDER INPUTS
    python worker.py roofline

`run BATCH THREADS TIMES` gives {"ms": [..]}; `output BATCH THREADS` gives {"output": [..]}; the roofline takes the name of a
piece in place of a batch.
"""

import json
import os
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")

import engines
import torch
from safetensors.torch import load_file


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    if sys.argv[1] == "roofline":
        pieces = engines.roofline()
        build = lambda piece, threads: pieces[piece][0]  # noqa: E731
    else:
        pieces = {}
        name, folder, inputs = sys.argv[1:]
        make = engines.ENGINES[name](folder, load_file(inputs))
        build = lambda batch, threads: make(int(batch), threads)  # noqa: E731
    built = {}
    for line in sys.stdin:
        what, batch, threads, *times = line.split()
        torch.set_num_threads(int(threads))
        if (batch, threads) not in built:
            built[batch, threads] = build(batch, int(threads))
        run = built[batch, threads]
        if what == "output":
            answer = {"output": engines.as_array(run()).ravel().tolist()}
        else:
            ms = []
            for _ in range(int(times[0])):
                start = time.perf_counter()
                run()
                ms.append(1e3 * (time.perf_counter() - start))
            answer = {"ms": ms} | ({"gflop": pieces[batch][1]} if batch in pieces else {})
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


main()
