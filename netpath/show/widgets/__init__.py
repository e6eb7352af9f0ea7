"""The book's widgets: each a JavaScript module, its data computed by netpath, and a still frame beside it.

    player.player(journeys)     journeys to play, step and scrub, two side by side; `prepared` has the book's
    dns.lookups(world)          look-ups step by step, a clock, and who remembers what
    vpc.vpc(world)              rules to switch off, and where a packet or its answer stops
    balancing.balancing(world)  the load balancer's algorithms, and kube-proxy's lots, as requests pile up
    chains.falling(world)       a packet falling through kube-proxy's chains
    ingress.ingress(world)      any host and path: who takes it, and why nobody else did

They answer in the published page without a kernel. Each module has an `explore` besides, with controls that call
netpath, for any world where a kernel is.

Not modelled: anything; what they show is the model's.
"""
