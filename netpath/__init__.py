"""The road between opening http://shop.example.com/cart and seeing the page.

Each module is one kind of box on that road, or what the boxes have in common. Together they form a
ladder: a line imports only from the lines below it, and boxes on one line don't know each other.

    __main__   exercises
    show       load
    journey
    world
    resolution | vpc | balancing | kubeproxy | ingress
    netfilter
    routing
    nat | iptables | algorithms | kubernetes
    conntrack
    packet
    choice | codes
    errors

So any box can be read, and used, without those above it. `tests/test_ladder.py` reads these very
lines and holds the imports to them. Importing `netpath` loads no plotting and no widgets.
"""
