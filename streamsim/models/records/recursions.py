# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Max-plus recursions: when each record leaves each station, without events, where routes do not depend on time.

A record starts when it has come and a server is free, and leaves when it is served and the next pipe has room. So every
time is a maximum of earlier ones plus a service (Baccelli, Cohen, Olsder & Quadrat 1992, "Synchronization and
Linearity", ch. 1): one pass over the records, in the order in which they came. Rounding is that of the SimPy
interpreter: the same sums in the same order.

Plain Python in Cython's pure-Python mode, as `kernel` is; all arrays are C-contiguous and changed in place.
"""

from __future__ import annotations

try:
    import cython
except ImportError:  # Cython is needed to build, not to run
    from streamsim.models.records import uncompiled as cython

if not cython.compiled:
    SIGNATURE = 0

COMPILED = cython.compiled

CHOSEN = cython.declare(cython.longlong, -2)


@cython.ccall
def signature() -> cython.longlong:
    """Return which version of the text this was compiled from (`built.signature_of`)."""
    return SIGNATURE


def one_server(born: cython.double[::1], left: cython.double[::1], state: cython.double[::1]) -> cython.double:
    """Pass records through one server without a limit before it; returns the sum of their response times (s).

    Lindley (1952), Mathematical Proceedings 48, p. 277.

    Parameters
    ----------
    born : the gaps (s) before the records; then when they are due.
    left : the services (s); then when they leave.
    state : when the record before was due, and when the server is free (s).
    """
    due: cython.double = state[0]
    free: cython.double = state[1]
    total: cython.double = 0.0
    place: cython.Py_ssize_t
    for place in range(born.shape[0]):
        due += born[place]
        born[place] = due
        free = (free if free > due else due) + left[place]
        left[place] = free
        total += free - due
    state[0] = due
    state[1] = free
    return total


def few_servers(born: cython.double[::1], left: cython.double[::1], state: cython.double[::1]) -> cython.double:
    """Pass records through up to four servers; see `one_server`.

    Kiefer & Wolfowitz (1955), Transactions AMS 78, p. 1: only the sorted times at which servers are free matter.

    Parameters
    ----------
    state : when the record before was due, then four sorted times; infinite ones for servers that are not there.
    """
    due: cython.double = state[0]
    first: cython.double = state[1]
    second: cython.double = state[2]
    third: cython.double = state[3]
    fourth: cython.double = state[4]
    gone: cython.double
    later: cython.double
    total: cython.double = 0.0
    place: cython.Py_ssize_t
    for place in range(born.shape[0]):
        due += born[place]
        born[place] = due
        gone = (first if first > due else due) + left[place]
        left[place] = gone
        total += gone - due
        # The lower and the higher of two, written so that the compiler makes no branch of them.
        first = gone if gone < second else second
        later = gone if gone > second else second
        second = later if later < third else third
        later = later if later > third else third
        third = later if later < fourth else fourth
        fourth = later if later > fourth else fourth
    state[0] = due
    state[1] = first
    state[2] = second
    state[3] = third
    state[4] = fourth
    return total


def line(
    due: cython.double[::1],
    work: cython.double[:, ::1],
    free: cython.double[::1],
    passed: cython.longlong,
    write_at: cython.longlong[::1],
    write_mask: cython.longlong[::1],
    read_at: cython.longlong[::1],
    read_mask: cython.longlong[::1],
    capacity: cython.longlong[::1],
    rings: cython.double[::1],
    waited: cython.double[::1],
    blocked: cython.double[::1],
) -> None:
    """Pass records through single servers, one after the other, each blocked after service while the next pipe is full.

    Parameters
    ----------
    due : when the records come to the first server (s).
    work : services, a row for each server; then when the record leaves that server.
    free : when each server is free (s).
    passed : how many records have passed before.
    write_at, write_mask, read_at, read_mask, capacity, rings : of each server the ring of its last starts in `rings`,
        and that of the next server with the capacity of the pipe between them; without a limit a cell that stays
        −infinite.
    waited, blocked : sums (s) for each server.
    """
    record: cython.Py_ssize_t
    server: cython.Py_ssize_t
    servers: cython.Py_ssize_t = free.shape[0]
    number: cython.longlong
    start: cython.double
    served: cython.double
    came: cython.double
    room: cython.double
    for record in range(due.shape[0]):
        came = due[record]
        number = passed + record
        for server in range(servers):
            start = free[server]
            start = came if came > start else start
            waited[server] += start - came
            rings[write_at[server] + (number & write_mask[server])] = start
            served = start + work[server, record]
            room = rings[read_at[server] + ((number - capacity[server]) & read_mask[server])]
            came = room if room > served else served
            blocked[server] += came - served
            free[server] = came
            work[server, record] = came


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def replace_first(
    heap: cython.double[::1], root: cython.longlong, count: cython.longlong, time: cython.double
) -> cython.void:
    """Replace the lowest of a binary heap."""
    here: cython.longlong = 0
    below: cython.longlong = 1
    while below < count:
        if below + 1 < count and heap[root + below + 1] < heap[root + below]:
            below += 1
        if time <= heap[root + below]:
            break
        heap[root + here] = heap[root + below]
        here = below
        below = 2 * here + 1
    heap[root + here] = time


def walk(
    born: cython.double[::1],
    left: cython.double[::1],
    ends: cython.longlong[::1],
    source: cython.longlong,
    saturated: cython.bint,
    until_s: cython.double,
    routes: cython.longlong[::1],
    first: cython.longlong[::1],
    place: cython.longlong[::1],
    work: cython.double[::1],
    delay: cython.double[::1],
    chosen: cython.longlong[::1],
    count: cython.longlong[::1],
    free_at: cython.longlong[::1],
    free: cython.double[::1],
    reader: cython.longlong[::1],
    capacity: cython.longlong[::1],
    ring_at: cython.longlong[::1],
    mask: cython.longlong[::1],
    passed: cython.longlong[::1],
    rings: cython.double[::1],
    waits: cython.double[::1],
    busy: cython.double[::1],
    blocked: cython.double[::1],
) -> cython.longlong:
    """Pass records, each on its way from `source` to where it ends; returns how many: fewer than there are at
    `until_s`.

    Parameters
    ----------
    born, left, ends : of the records: when each is due (given, unless the source is `saturated`), when and where it
        left.
    routes : of each station: its pipe, −1 where it has none, CHOSEN where `chosen` says it for each of its records.
    first, place, work, chosen : station k serves its records with ``work[first[k]:]``, from ``place[k]`` on, and sends
        them to ``chosen[first[k]:]``; a service that is done is overwritten by when the record left the station.
    delay : seconds of each station after the service, without a core.
    count, free_at, free : of each station its servers, and the heap of the times at which they are free.
    reader, capacity, ring_at, mask, passed, rings : of each pipe: its station, its limit (−1: none), the ring of the
        last starts at that station (where it begins, its length less 1), how many records have passed.
    waits, busy, blocked : sums (s) of each station.
    """
    record: cython.Py_ssize_t
    station: cython.longlong
    pipe: cython.longlong
    number: cython.longlong
    cell: cython.longlong
    came: cython.double
    start: cython.double
    served: cython.double
    gone: cython.double
    room: cython.double
    for record in range(born.shape[0]):
        if saturated:
            born[record] = free[free_at[source]]
        came = born[record]
        if came >= until_s:
            return record
        station = source
        pipe = -1
        while True:
            start = free[free_at[station]]
            if came > start:
                start = came
            if pipe >= 0:
                if capacity[pipe] >= 0:
                    rings[ring_at[pipe] + (passed[pipe] & mask[pipe])] = start
                passed[pipe] += 1
            cell = first[station] + place[station]
            place[station] += 1
            served = start + work[cell]
            waits[station] += start - came
            busy[station] += work[cell]
            served += delay[station]
            pipe = routes[station]
            if pipe == CHOSEN:
                pipe = chosen[cell]
            gone = served
            if pipe >= 0 and capacity[pipe] >= 0:
                number = passed[pipe] - capacity[pipe]
                room = rings[ring_at[pipe] + (number & mask[pipe])]
                if room > gone:
                    gone = room
                blocked[station] += gone - served
            work[cell] = gone
            if count[station] == 1:
                free[free_at[station]] = gone
            else:
                replace_first(free, free_at[station], count[station], gone)
            if pipe < 0:
                left[record] = gone
                ends[record] = station
                break
            came = gone
            station = reader[pipe]
    return born.shape[0]
