"""How fast netpath is: what `make bench` measures and prints.

Times are CPU seconds of one core (`time.process_time`, or the children's `getrusage`), the least of several
repetitions: what else the machine does can only add to them. Each is set against a *peer* measured in the same
run (a fixed piece of pure Python, an empty Python process, `json.load` alone), because the ratio says more than
the seconds of somebody else's machine.

    python -m benchmarks [--quick] [--json FILE]

The last section sets the model against the lab, where its programs are: by the clock, for there others do the work.

Not modelled: the network elsewhere; there every journey is computed.
"""
