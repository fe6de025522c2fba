"""Synchronous dataflow: circuits in which every firing of a station takes and gives fixed numbers of records.

=============  ================================================================================
file           what it holds
=============  ================================================================================
``graph``      `Graph`, `Actor`, `Channel`; consistency and the repetition vector
``firings``    the graph of single firings (HSDF), with capacities as channels that lead back
``ratio``      the maximum cycle ratio by Howard's policy iteration: what sets the pace
``buffers``    throughput against capacities of the pipes: the exact Pareto front
``calculus``   delay and backlog that are never exceeded, for token-bucket sources
=============  ================================================================================
"""
