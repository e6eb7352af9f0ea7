"""The same world made of real parts: Linux network namespaces, netfilter, nginx, name servers.

    python -m lab up            # the book's world; another with `--world FOLDER`
    python -m lab shell user    # then curl, dig, ip …; `python -m lab hosts` lists the others
    python -m lab trace http://shop.example.com/cart
    python -m lab down
    python -m lab compare 100   # worlds that nobody chose, and the model

A `World` goes in, and what comes out is configuration for programs that know nothing of this project. So what
they do with a packet, a request or a question says whether `netpath` is right. The lab never works out an answer
with the code that it is to check: only `model` asks `netpath` what happens, for the comparison.

    __main__
    control
    agreement | trace | shown
    model | visits
    capture
    session
    road | questions | nodes | ingress | balancer
    wire | vpc | nginx | names | pods | programs | remembered | decisions | user
    network | filters | worlds
    namespaces
    isolation

A line imports only from the lines below it, and `netpath` imports nothing of this. (`oracles` are apart: random cases
for one part of the model at a time.) The package isn't installed with netpath: it is run from a checkout.
"""
