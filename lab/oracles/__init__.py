"""Is the model right? Random cases, put to it and to the real thing.

    python -m lab.oracles                  # every oracle, some 50,000 cases
    python -m lab.oracles --only nat       # one of them
    python -m lab.oracles --soak           # a hundred times that; goes on where it was stopped

An oracle (as testers call whoever knows what a test should come to) draws a case from a seed, asks Linux,
nginx or unbound, asks `netpath`, and compares. No expectation comes from `netpath`; the cases are drawn by dice, so
nobody chose them to fit. What disagrees is shrunk to the smallest case that still does, and printed with its seed.

    nat        netfilter's rules, kube-proxy's Services, timeouts, and the rules' own text, in this machine's kernel
    ingress    hosts and paths at nginx
    dns        names, and jumps of the clock, at unbound over nsd
    balancing  nginx's choices, sequence for sequence
    road       whole worlds that nobody chose, made real (see `lab.worlds`)

`lab.oracles.mutations` are bugs planted into the model, each of which its oracle must find: who watches the watch.

    __main__
    running
    mutations
    catalogue
    spelling
    nat | proxy | expiry | ingress | balancing | dns | roads
    node | promise
    services
    rules
    talk
    wires | nameservers | webserver
    codec | zones | rounds

A line imports only from the lines below it (and from `lab` and `netpath`).
"""
