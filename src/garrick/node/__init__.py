"""One system: the admin's decisions (sans-IO, `garrick.node.admin`) and, around them, its processes and the links between them."""
