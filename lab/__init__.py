"""The same world made of real parts: Linux network namespaces, netfilter, nginx, name servers.

    python -m lab up            # the book's world, or `--world FOLDER`
    python -m lab shell user    # then curl, dig, ping; `python -m lab hosts` lists the others
    python -m lab trace http://shop.example.com/cart
    python -m lab down

A `World` goes in, and what comes out is configuration for programs that know nothing of this project. So what
they do with a packet, a request or a question says whether `netpath` is right. Nothing in here computes an answer
with the code that it is to check.

    __main__
    trace | road | session
    network
    balancer | ingress | names | nodes | pods | vpc
    wire | nginx
    namespaces
    isolation

A line imports only from the lines below it. The package isn't installed with netpath: it is run from a checkout.
"""
