"""Random graphs: node n needs only nodes below n, so that there is no cycle."""

from __future__ import annotations

from hypothesis import strategies as st

Graph = dict[int, frozenset[int]]


@st.composite
def graphs(draw: st.DrawFn, *, most: int = 14) -> Graph:
    size = draw(st.integers(1, most))
    needed = [
        draw(st.frozensets(st.integers(0, node - 1), max_size=4)) if node else frozenset() for node in range(size)
    ]
    shuffled = draw(st.permutations(range(size)))
    return {node: needed[node] for node in shuffled}


def all_needs(graph: Graph, node: int) -> frozenset[int]:
    """Everything that a node needs, directly or not."""
    return graph[node].union(*(all_needs(graph, need) for need in graph[node]))


def levels(graph: Graph) -> list[frozenset[int]]:
    """The nodes by the length of their longest chain of needs; those of one level can all run at the same time."""
    rank: dict[int, int] = {}
    for node in sorted(graph):
        rank[node] = 1 + max((rank[need] for need in graph[node]), default=-1)
    return [frozenset(node for node in graph if rank[node] == level) for level in range(max(rank.values()) + 1)]
