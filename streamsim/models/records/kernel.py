"""The kernel: runs a packed table of records (see `layout`), the same as `interpret` does, bit for bit.

Plain Python in Cython's pure-Python mode: the build compiles this very file, and where it was not built it runs as it
is, on lists, a hundred times slower. So it is written for the compiler: no objects, no calls but to the functions here.
It can return whenever it needs something of its caller (`layout.REFILL` and its like) and goes on where it was when it
is called again: all that it knows is in the two arrays.

One file, though a long one: C compilers only inline what they see.
"""

from __future__ import annotations

try:
    import cython
except ImportError:  # Cython is needed to build, not to run
    from streamsim.models.records import uncompiled as cython

if not cython.compiled:
    from streamsim.models.records.layout import *

    SIGNATURE = 0

COMPILED = cython.compiled

INF = cython.declare(cython.double, float("inf"))


@cython.ccall
def signature() -> cython.longlong:
    """Return which version of the text this was compiled from (`built.signature_of`)."""
    return SIGNATURE


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def set_key(
    n: cython.p_longlong,
    x: cython.p_double,
    tree: cython.longlong,
    half: cython.longlong,
    ranks: cython.longlong,
    leaf: cython.longlong,
    key: cython.double,
) -> cython.void:
    """Give a leaf of a tournament tree a key; the lowest key wins, at equal keys the lowest rank.

    Every node holds the winning leaf and its key, so that a match reads two neighbours and nothing else.
    """
    node: cython.longlong = half + leaf
    winner: cython.longlong = leaf
    sibling: cython.longlong
    x[tree + node] = key
    while node > 1:
        sibling = node ^ 1
        if x[tree + sibling] < key or (x[tree + sibling] == key and n[ranks + n[tree + sibling]] < n[ranks + winner]):
            key = x[tree + sibling]
            winner = n[tree + sibling]
        node >>= 1
        if winner != leaf and n[tree + node] == winner and x[tree + node] == key:
            break  # who won here before still does: nothing changes further up
        n[tree + node] = winner
        x[tree + node] = key


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def arm(n: cython.p_longlong, x: cython.p_double, server: cython.longlong, time: cython.double) -> cython.void:
    """Let a server go on at a time."""
    if n[FIRED] == server:
        n[FIRED] = 0
    set_key(n, x, n[TREE], n[LEAVES], n[RANKS], n[server + LEAF], time)


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def turn(n: cython.p_longlong, x: cython.p_double, server: cython.longlong, state: cython.longlong) -> cython.void:
    """Account for a server's time since its last turn, and go over to another state."""
    x[server + TIMES + n[server + STATE]] += x[NOW] - x[server + SINCE]
    n[server + STATE] = state
    x[server + SINCE] = x[NOW]


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def call(n: cython.p_longlong, server: cython.longlong) -> cython.void:
    """Let a server go on at this instant, after those called before."""
    n[n[READY] + ((n[READY_FIRST] + n[READY_COUNT]) & n[READY_MASK])] = server
    n[READY_COUNT] += 1


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def wake_one(n: cython.p_longlong, x: cython.p_double, station: cython.longlong, rank: cython.longlong) -> cython.void:
    """Something of a class has come: call who has slept longest, or interrupt a server that serves what can wait."""
    server: cython.longlong = n[station + SLEEPER_FIRST]
    if server:
        n[station + SLEEPER_FIRST] = n[server + LINK]
        call(n, server)
    elif n[station + PREEMPTS]:
        interrupt(n, x, station, rank)


@cython.cfunc
@cython.exceptval(check=False)
def interrupt(n: cython.p_longlong, x: cython.p_double, station: cython.longlong, rank: cython.longlong) -> cython.void:
    """Interrupt the least urgent service of a station if it is less urgent than a class; of several the last one."""
    server: cython.longlong = n[station + FIRST_SERVER]
    record: cython.longlong
    victim: cython.longlong = 0
    place: cython.longlong
    worst: cython.longlong = rank
    before: cython.longlong
    after: cython.longlong
    for place in range(n[station + ACTIVE]):
        if n[server + PHASE] == WORK_DONE and n[n[server + RECORD] + RANK] > worst:
            victim = server
            worst = n[n[server + RECORD] + RANK] - 1  # of several the last
        server += SERVER_CELLS
    if victim == 0:
        return
    record = n[victim + RECORD]
    x[record + REST] = x[n[TREE] + n[LEAVES] + n[victim + LEAF]] - x[NOW]
    x[victim + CPU] += x[victim + WORK] - x[record + REST]
    x[record + FIRST_ASKED] = x[victim + ASKED]
    x[record + FIRST_GOT] = x[victim + GOT]
    x[record + INTERRUPTED_SINCE] = x[NOW]
    set_key(n, x, n[TREE], n[LEAVES], n[RANKS], n[victim + LEAF], INF)
    n[victim + PHASE] = TAKE
    before = 0
    after = n[station + INTERRUPTED]
    while after and (
        n[after + RANK] < n[record + RANK]
        or (n[after + RANK] == n[record + RANK] and n[after + STAMP] < n[record + STAMP])
    ):
        before = after
        after = n[after + NEXT]
    n[record + NEXT] = after
    if before:
        n[before + NEXT] = record
    else:
        n[station + INTERRUPTED] = record
    call(n, victim)


@cython.cfunc
@cython.exceptval(check=False)
def wake_all(n: cython.p_longlong, station: cython.longlong) -> cython.void:
    """Call all that sleep, then all that rest."""
    server: cython.longlong = n[station + SLEEPER_FIRST]
    while server:
        call(n, server)
        server = n[server + LINK]
    server = n[station + RESTING_FIRST]
    while server:
        call(n, server)
        server = n[server + LINK]
    n[station + SLEEPER_FIRST] = 0
    n[station + RESTING_FIRST] = 0


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def head(n: cython.p_longlong, pipe: cython.longlong) -> cython.longlong:
    """Return the record that is next in a pipe, 0 if none."""
    queue: cython.longlong = n[pipe + QUEUES]
    end: cython.longlong = queue + 2 * n[pipe + CLASSES]
    while queue < end:
        if n[queue]:
            return n[queue]
        queue += 2
    return 0


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def rank_of_head(n: cython.p_longlong, pipe: cython.longlong) -> cython.longlong:
    """Return the class of the record that is next in a pipe that holds one."""
    rank: cython.longlong = 0
    while n[n[pipe + QUEUES] + 2 * rank] == 0:
        rank += 1
    return rank


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def over(n: cython.p_longlong, pipe: cython.longlong) -> cython.bint:
    """Whether nothing is in a pipe and nothing will come."""
    return n[pipe + OPEN] <= 0 and head(n, pipe) == 0


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def change(n: cython.p_longlong, x: cython.p_double, pipe: cython.longlong, by: cython.longlong) -> cython.void:
    """Change the level of a pipe."""
    x[pipe + AREA] += n[pipe + LEVEL] * (x[NOW] - x[pipe + LEVEL_SINCE])
    x[pipe + LEVEL_SINCE] = x[NOW]
    n[pipe + LEVEL] += by


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def enter(n: cython.p_longlong, x: cython.p_double, pipe: cython.longlong, record: cython.longlong) -> cython.void:
    """Append a record to its class and call a sleeping reader."""
    place: cython.longlong = 0
    queue: cython.longlong
    if n[pipe + CLASSES] > 1:
        place = n[n[record + ORIGIN] + URGENCY_GIVEN]
        if place >= n[pipe + CLASSES]:
            place = n[pipe + CLASSES] - 1
    queue = n[pipe + QUEUES] + 2 * place
    n[STAMPS] += 1
    n[record + STAMP] = n[STAMPS]
    n[record + NEXT] = 0
    if n[queue]:
        n[n[queue + 1] + NEXT] = record
    else:
        n[queue] = record
    n[queue + 1] = record
    wake_one(n, x, n[pipe + DOWNSTREAM], place)


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def note_departure(
    n: cython.p_longlong, x: cython.p_double, station: cython.longlong, record: cython.longlong
) -> cython.void:
    """Count a record that a station has given, and log it where asked to."""
    at: cython.longlong
    n[station + GIVEN] += 1
    if n[DEPARTURES_MOST]:
        at = n[DEPARTED]
        n[DEPARTED] = at + 1
        x[n[DEPARTURES] + at] = x[NOW]
        n[n[DEPARTURES] + 2 * at] = n[station + NUMBER]
        n[n[DEPARTURES] + 2 * at + 1] = n[record + IDENT]


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def departed(
    n: cython.p_longlong, x: cython.p_double, server: cython.longlong, record: cython.longlong, pipe: cython.longlong
) -> cython.void:
    """All of a record is in the next pipe."""
    if n[pipe + READER_LOOP]:
        n[n[pipe + READER_LOOP] + INSIDE] += 1
    note_departure(n, x, n[server + STATION], record)


@cython.cfunc
@cython.exceptval(check=False)
def write_pages(n: cython.p_longlong, pipe: cython.longlong, size: cython.longlong) -> cython.longlong:
    """Write into the page slots of a pipe as the kernel does (`models.pipe.SlotPipe.write`)."""
    ring: cython.longlong = n[pipe + PIECES]
    slots: cython.longlong = n[pipe + SLOTS]
    count: cython.longlong = n[pipe + PIECE_COUNT]
    tail: cython.longlong = size % PAGE_BYTES
    done: cython.longlong = 0
    if tail and count and n[pipe + TAIL_END] + tail <= PAGE_BYTES:
        n[ring + (n[pipe + PIECE_FIRST] + count - 1) % slots] += tail
        n[pipe + TAIL_END] += tail
        done = tail
    while size - done >= PAGE_BYTES and count < slots:
        n[ring + (n[pipe + PIECE_FIRST] + count) % slots] = PAGE_BYTES
        n[pipe + TAIL_END] = PAGE_BYTES
        count += 1
        done += PAGE_BYTES
    if size - done and count < slots:
        n[ring + (n[pipe + PIECE_FIRST] + count) % slots] = size - done
        n[pipe + TAIL_END] = size - done
        count += 1
        done = size
    n[pipe + PIECE_COUNT] = count
    return done


@cython.cfunc
@cython.exceptval(check=False)
def read_pages(n: cython.p_longlong, pipe: cython.longlong, size: cython.longlong) -> cython.void:
    """Read from the page slots of a pipe; a slot is free when its last byte is gone."""
    ring: cython.longlong = n[pipe + PIECES]
    slots: cython.longlong = n[pipe + SLOTS]
    first: cython.longlong = n[pipe + PIECE_FIRST]
    while size > 0 and n[pipe + PIECE_COUNT] > 0:
        if n[ring + first] > size:
            n[ring + first] -= size
            size = 0
        else:
            size -= n[ring + first]
            first = (first + 1) % slots
            n[pipe + PIECE_COUNT] -= 1
    n[pipe + PIECE_FIRST] = first


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def fits(n: cython.p_longlong, pipe: cython.longlong, size: cython.longlong) -> cython.bint:
    """Whether a whole record has room; one larger than the pipe has it when the pipe is empty."""
    used: cython.longlong = n[pipe + LEVEL] + n[pipe + CLAIMED]
    if n[pipe + UNIT] == UNIT_RECORDS:
        return used < n[pipe + CAPACITY]
    return used == 0 or used + size <= n[pipe + CAPACITY]


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def push(
    n: cython.p_longlong, x: cython.p_double, pipe: cython.longlong, server: cython.longlong, record: cython.longlong
) -> cython.bint:
    """Put in as much of a record as fits; whether all of it is in."""
    done: cython.longlong
    first: cython.bint
    if n[pipe + UNIT] <= UNIT_BYTES:
        if not fits(n, pipe, n[record + SIZE]):
            return False
        n[record + LEFT] = 0
        change(n, x, pipe, 1 if n[pipe + UNIT] == UNIT_RECORDS else n[record + SIZE])
        enter(n, x, pipe, record)
        departed(n, x, server, record, pipe)
        return True
    if n[pipe + UNIT] == UNIT_HANDOVER:
        enter(n, x, pipe, record)  # the reader sees it, and takes it from the hand of its writer
        return False
    if n[pipe + UNIT] == UNIT_PAGES:
        done = write_pages(n, pipe, n[record + LEFT])
    else:
        done = n[pipe + CAPACITY] - n[pipe + LEVEL]
        if done > n[record + LEFT]:
            done = n[record + LEFT]
    if done <= 0:
        return False
    first = n[record + LEFT] == n[record + SIZE]
    n[record + LEFT] -= done
    change(n, x, pipe, done)
    if first:
        enter(n, x, pipe, record)
    if n[record + LEFT] == 0:
        departed(n, x, server, record, pipe)
        return True
    return False


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def queue_up(n: cython.p_longlong, pipe: cython.longlong, server: cython.longlong) -> cython.void:
    """Let a server wait for room in a pipe, behind those that wait already."""
    n[server + LINK] = 0
    if n[pipe + WRITER_FIRST]:
        n[n[pipe + WRITER_LAST] + LINK] = server
    else:
        n[pipe + WRITER_FIRST] = server
    n[pipe + WRITER_LAST] = server


@cython.cfunc
@cython.exceptval(check=False)
def admit(n: cython.p_longlong, x: cython.p_double, pipe: cython.longlong) -> cython.void:
    """Let in those that wait as far as there is room now."""
    writer: cython.longlong = n[pipe + WRITER_FIRST]
    while writer and (n[pipe + UNIT] != UNIT_PAGES or n[pipe + PIECE_COUNT] < n[pipe + SLOTS]):
        if n[writer + CLAIMING]:
            if not fits(n, pipe, n[n[writer + HAND] + SIZE]):
                break
            n[pipe + CLAIMED] += 1 if n[pipe + UNIT] == UNIT_RECORDS else n[n[writer + HAND] + SIZE]
        elif not push(n, x, pipe, writer, n[writer + HAND]):
            break
        n[pipe + WRITER_FIRST] = n[writer + LINK]
        call(n, writer)
        writer = n[pipe + WRITER_FIRST]


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def take_from(n: cython.p_longlong, x: cython.p_double, pipe: cython.longlong) -> cython.longlong:
    """Take the head out of a pipe; those that wait for room are let in."""
    queue: cython.longlong = n[pipe + QUEUES]
    record: cython.longlong
    writer: cython.longlong
    inside: cython.longlong
    while n[queue] == 0:
        queue += 2
    record = n[queue]
    n[queue] = n[record + NEXT]
    if n[pipe + UNIT] == UNIT_RECORDS:
        change(n, x, pipe, -1)
    else:
        inside = n[record + SIZE] - n[record + LEFT]
        change(n, x, pipe, -inside)
        if n[pipe + UNIT] == UNIT_PAGES:
            read_pages(n, pipe, inside)
        if n[record + LEFT]:
            n[record + LEFT] = 0
            writer = n[pipe + WRITER_FIRST]
            n[pipe + WRITER_FIRST] = n[writer + LINK]
            departed(n, x, writer, record, pipe)
            call(n, writer)
    if n[pipe + WRITER_FIRST]:
        admit(n, x, pipe)
    return record


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def clone(n: cython.p_longlong, x: cython.p_double, record: cython.longlong) -> cython.longlong:
    """Return another record like this; there must be a free one."""
    other: cython.longlong = n[FREE]
    n[FREE] = n[other + NEXT]
    n[other + IDENT] = n[record + IDENT]
    n[other + SIZE] = n[record + SIZE]
    n[other + KEY] = n[record + KEY]
    n[other + ORIGIN] = n[record + ORIGIN]
    n[other + ROOT] = n[record + ROOT]
    x[other + BORN] = x[record + BORN]
    if n[record + ROOT]:
        n[n[record + ROOT] + LIVE] += 1
    return other


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def vanish(n: cython.p_longlong, record: cython.longlong) -> cython.void:
    """Let a record end; the closed source whose last it was goes on."""
    root: cython.longlong = n[record + ROOT]
    n[record + NEXT] = n[FREE]
    n[FREE] = record
    if root:
        n[root + LIVE] -= 1
        if n[root + LIVE] == 0 and n[root + AWAITING]:
            n[root + AWAITING] = 0
            call(n, root)


@cython.cfunc
@cython.exceptval(check=False)
def end_loop(n: cython.p_longlong, loop: cython.longlong) -> cython.void:
    """End a feedback loop that holds nothing and gets nothing any more."""
    place: cython.longlong
    pipe: cython.longlong
    if n[loop + INSIDE] > 0 or n[loop + FEEDERS] > 0:
        return
    for place in range(n[loop + LOOP_PIPE_COUNT]):
        pipe = n[n[loop + LOOP_PIPES] + place]
        if n[pipe + OPEN] > 0:
            n[pipe + OPEN] = 0
            wake_all(n, n[pipe + DOWNSTREAM])


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def loop_gives_up(n: cython.p_longlong, station: cython.longlong, records: cython.longlong) -> cython.void:
    """So many records are no longer in the loop that a station is part of."""
    if n[station + LOOP]:
        n[n[station + LOOP] + INSIDE] -= records
        end_loop(n, n[station + LOOP])


@cython.cfunc
@cython.exceptval(check=False)
def close(n: cython.p_longlong, pipe: cython.longlong) -> cython.void:
    """Nothing more comes into a pipe from its station."""
    loop: cython.longlong = n[pipe + ENTERED_LOOP]
    n[pipe + OPEN] -= 1
    if n[pipe + OPEN] == 0:
        wake_all(n, n[pipe + DOWNSTREAM])
    if loop:
        n[loop + FEEDERS] -= 1
        end_loop(n, loop)


@cython.cfunc
@cython.exceptval(check=False)
def abandon(n: cython.p_longlong, x: cython.p_double, pipe: cython.longlong) -> cython.void:
    """The reader of a pipe has ended: what is inside is lost, and those who wait for room learn it."""
    reader: cython.longlong = n[pipe + DOWNSTREAM]
    queue: cython.longlong = n[pipe + QUEUES]
    end: cython.longlong = queue + 2 * n[pipe + CLASSES]
    record: cython.longlong
    following: cython.longlong
    server: cython.longlong
    if n[pipe + GONE]:
        return
    n[pipe + GONE] = 1
    n[n[pipe + UPSTREAM] + UNREAD] += 1
    while queue < end:
        record = n[queue]
        n[queue] = 0
        while record:
            following = n[record + NEXT]
            if n[record + LEFT] == 0:  # else whoever writes it still has it
                vanish(n, record)
                n[reader + LOST] += 1
                loop_gives_up(n, reader, 1)
            record = following
        queue += 2
    change(n, x, pipe, -n[pipe + LEVEL])
    server = n[pipe + WRITER_FIRST]
    n[pipe + WRITER_FIRST] = 0
    while server:
        n[server + BROKEN] = 0 if n[server + CLAIMING] else 1
        call(n, server)
        server = n[server + LINK]


@cython.cfunc
@cython.exceptval(check=False)
def lowest(n: cython.p_longlong, station: cython.longlong, following: cython.bint) -> cython.longlong:
    """Choose the input with the lowest number once all have one, or the number that follows as soon as it is there."""
    place: cython.longlong
    pipe: cython.longlong
    record: cython.longlong
    best: cython.longlong = 0
    number: cython.longlong = 0
    complete: cython.bint = True
    for place in range(n[station + INPUT_COUNT]):
        pipe = n[n[station + INPUTS] + place]
        record = head(n, pipe)
        if record == 0:
            complete = complete and n[pipe + OPEN] <= 0
        elif following and n[record + IDENT] == n[station + NEXT_IDENT]:
            n[station + NEXT_IDENT] += 1
            return pipe
        elif best == 0 or n[record + IDENT] < number:
            best = pipe
            number = n[record + IDENT]
    if best == 0 or not complete:
        return 0
    n[station + NEXT_IDENT] = number + 1
    return best


@cython.cfunc
@cython.exceptval(check=False)
def all_of_them(n: cython.p_longlong, x: cython.p_double, station: cython.longlong) -> cython.longlong:
    """Choose all inputs of a join if each has a record; throw away what will have no partner."""
    place: cython.longlong
    other: cython.longlong
    pipe: cython.longlong = 0
    missing: cython.bint = False
    for place in range(n[station + INPUT_COUNT]):
        pipe = n[n[station + INPUTS] + place]
        if over(n, pipe):
            for other in range(n[station + INPUT_COUNT]):
                pipe = n[n[station + INPUTS] + other]
                while head(n, pipe):
                    vanish(n, take_from(n, x, pipe))
                    n[station + LOST] += 1
                    loop_gives_up(n, station, 1)
            return 0
        if head(n, pipe) == 0:
            missing = True
    return 0 if missing else pipe


@cython.cfunc
@cython.exceptval(check=False)
def choose(n: cython.p_longlong, x: cython.p_double, station: cython.longlong) -> cython.longlong:
    """Return the pipe that the next record of a station comes from, 0 if it has to wait."""
    inputs: cython.longlong = n[station + INPUTS]
    count: cython.longlong = n[station + INPUT_COUNT]
    pick: cython.longlong = n[station + PICK]
    place: cython.longlong
    pipe: cython.longlong
    record: cython.longlong
    best: cython.longlong = 0
    value: cython.longlong = 0
    rank: cython.longlong
    if pick == PICK_JOIN:
        return all_of_them(n, x, station)
    if count == 1:
        return n[inputs] if head(n, n[inputs]) else 0
    if pick == PICK_READY:
        for place in range(count):
            pipe = n[inputs + place]
            rank = 0
            while rank < n[pipe + CLASSES] and n[n[pipe + QUEUES] + 2 * rank] == 0:
                rank += 1
            if rank < n[pipe + CLASSES] and (best == 0 or rank < value):
                best = pipe
                value = rank
                if rank == 0:
                    break
        return best
    if pick == PICK_ARRIVAL:
        for place in range(count):
            pipe = n[inputs + place]
            record = head(n, pipe)
            if record and (best == 0 or n[record + STAMP] < value):
                best = pipe
                value = n[record + STAMP]
        return best
    if pick == PICK_TURNS:
        for place in range(count):
            pipe = n[inputs + n[station + INPUT_TURN]]
            record = head(n, pipe)
            if record == 0 and n[pipe + OPEN] > 0:
                return 0
            n[station + INPUT_TURN] = (n[station + INPUT_TURN] + 1) % count
            if record:
                return pipe
        return 0
    if pick == PICK_SEQUENCE:
        for place in range(count):
            pipe = n[inputs + place]
            if head(n, pipe):
                return pipe
            if n[pipe + OPEN] > 0:
                return 0
        return 0
    return lowest(n, station, pick == PICK_NEXT)


@cython.cfunc
@cython.exceptval(check=False)
def fetch(n: cython.p_longlong, x: cython.p_double, station: cython.longlong, pipe: cython.longlong) -> cython.longlong:
    """Take the record from the chosen pipe, or one of each and join them."""
    place: cython.longlong
    record: cython.longlong
    other: cython.longlong
    if n[station + PICK] != PICK_JOIN:
        return take_from(n, x, pipe)
    record = take_from(n, x, n[n[station + INPUTS]])
    for place in range(1, n[station + INPUT_COUNT]):
        other = take_from(n, x, n[n[station + INPUTS] + place])
        n[record + SIZE] += n[other + SIZE]
        if x[other + BORN] < x[record + BORN]:
            x[record + BORN] = x[other + BORN]
        vanish(n, other)
    loop_gives_up(n, station, n[station + INPUT_COUNT] - 1)
    return record


@cython.cfunc
@cython.exceptval(check=False)
def all_over(n: cython.p_longlong, station: cython.longlong) -> cython.bint:
    """Whether every input of a station has ended."""
    place: cython.longlong
    for place in range(n[station + INPUT_COUNT]):
        if not over(n, n[n[station + INPUTS] + place]):
            return False
    return True


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def dry(n: cython.p_longlong, stream: cython.longlong) -> cython.bint:
    """Whether a stream has to be filled before it can give a number."""
    return stream != 0 and n[stream + PLACE] >= n[stream + LENGTH]


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def draw(n: cython.p_longlong, x: cython.p_double, stream: cython.longlong) -> cython.double:
    """Return the next number of a stream that is not dry."""
    n[stream + PLACE] += 1
    return x[n[stream + AT] + n[stream + PLACE] - 1]


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def advance(n: cython.p_longlong, x: cython.p_double, host: cython.longlong) -> cython.void:
    """Bring the clocks of a host's work up to now; its cores are to be shared out anew."""
    elapsed: cython.double = x[NOW] - x[host + HOST_SINCE]
    if elapsed > 0.0:
        x[host + WORK_SERVED] += elapsed * x[host + RATE]
        x[host + CORES_USED] += elapsed * x[host + SHARE]
        x[host + HOST_SINCE] = x[NOW]
    if not n[host + CHANGED]:
        n[host + CHANGED] = 1
        n[host + CHANGED_NEXT] = n[UNSETTLED]
        n[UNSETTLED] = host


@cython.cfunc
@cython.exceptval(check=False)
def settle(n: cython.p_longlong, x: cython.p_double) -> cython.void:
    """Share out anew the cores of the hosts where tasks came or went at this instant."""
    host: cython.longlong = n[UNSETTLED]
    winner: cython.longlong
    left: cython.double
    while host:
        n[host + CHANGED] = 0
        x[host + RATE] = x[n[host + RATES] + n[host + TASKS]]
        x[host + SHARE] = x[n[host + SHARES] + n[host + TASKS]]
        if n[host + FIRED_TASK]:
            set_key(n, x, n[host + HOST_TREE], n[host + HOST_LEAVES], n[RANKS], n[host + FIRED_TASK] - 1, INF)
            n[host + FIRED_TASK] = 0
        if n[host + TASKS]:
            winner = n[n[host + HOST_TREE] + 1]
            left = x[n[host + HOST_TREE] + 1] - x[host + WORK_SERVED]
            n[n[RANKS] + n[host + TIMER_LEAF]] = n[n[n[host + HOST_SERVERS] + winner] + LEAF]
            set_key(
                n, x, n[TREE], n[LEAVES], n[RANKS], n[host + TIMER_LEAF],
                x[host + HOST_SINCE] + (left / x[host + RATE] if left > 0.0 else 0.0),
            )  # fmt: skip
        else:
            set_key(n, x, n[TREE], n[LEAVES], n[RANKS], n[host + TIMER_LEAF], INF)
        host = n[host + CHANGED_NEXT]
    n[UNSETTLED] = 0


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def work(
    n: cython.p_longlong, x: cython.p_double, server: cython.longlong, amount: cython.double, phase: cython.longlong
) -> cython.bint:
    """Begin so much work, after which the server goes on in a phase; False where there is nothing to do."""
    host: cython.longlong = n[n[server + STATION] + HOST]
    x[server + WORK] = amount
    if not amount > 0.0:
        x[server + WORK] = 0.0
        return False
    n[server + PHASE] = phase
    turn(n, x, server, RUNNING)
    if host == 0:
        arm(n, x, server, x[NOW] + amount)
        return True
    advance(n, x, host)
    x[server + WORK] = -1.0
    x[server + BEFORE] = x[host + CORES_USED]
    n[host + TASKS] += 1
    if n[host + FIRED_TASK] == n[server + HOST_LEAF] + 1:
        n[host + FIRED_TASK] = 0
    set_key(
        n,
        x,
        n[host + HOST_TREE],
        n[host + HOST_LEAVES],
        n[RANKS],
        n[server + HOST_LEAF],
        x[host + WORK_SERVED] + amount,
    )
    return True


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def worked(n: cython.p_longlong, x: cython.p_double, server: cython.longlong) -> cython.void:
    """Account for the core-seconds of the work that has ended."""
    if x[server + WORK] < 0.0:
        x[server + CPU] += x[n[n[server + STATION] + HOST] + CORES_USED] - x[server + BEFORE]
    else:
        x[server + CPU] += x[server + WORK]


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def finish_task(n: cython.p_longlong, x: cython.p_double, host: cython.longlong) -> cython.longlong:
    """End the task of a host that is done; return its server."""
    winner: cython.longlong = n[n[host + HOST_TREE] + 1]
    tag: cython.double = x[n[host + HOST_TREE] + 1]
    advance(n, x, host)
    if tag > x[host + WORK_SERVED]:
        x[host + WORK_SERVED] = tag
    n[host + TASKS] -= 1
    n[host + FIRED_TASK] = winner + 1
    return n[n[host + HOST_SERVERS] + winner]


@cython.cfunc
@cython.exceptval(check=False)
def next_of_source(n: cython.p_longlong, x: cython.p_double, server: cython.longlong) -> cython.int:
    """Make the next record of a source: 0 it is there, 1 it is due later, 2 there is none, 3 wait for the last, else a
    return code + 10."""
    station: cython.longlong = n[server + STATION]
    kind: cython.longlong = n[station + SOURCE]
    arrivals: cython.longlong = n[station + ARRIVALS]
    keys: cython.longlong = n[station + KEYS]
    record: cython.longlong
    key: cython.longlong = 0
    due: cython.double = x[NOW]
    drawn: cython.double = 0.0
    draws: cython.bint = arrivals != 0 and (
        kind == BY_TIMES
        or (kind == BY_GAPS and n[station + RECORDS_GIVEN] > 0)
        or (kind == CLOSED and n[server + GAVE])
    )
    if kind == CLOSED and n[server + LIVE]:
        n[server + AWAITING] = 1
        return 3
    if n[station + RECORDS_MOST] >= 0 and n[station + RECORDS_GIVEN] >= n[station + RECORDS_MOST]:
        return 2
    if draws and dry(n, arrivals):
        n[NEED] = arrivals
        return 2 if n[arrivals + STREAM_ENDED] else 10 + REFILL
    if dry(n, keys) and not n[keys + STREAM_ENDED]:
        n[NEED] = keys
        return 10 + REFILL
    if n[FREE] == 0:
        return 10 + GROW
    if draws:
        drawn = draw(n, x, arrivals)
    if kind == BY_TIMES:
        due = drawn
    elif kind == BY_GAPS:
        due = x[station + DUE] + drawn * x[station + GAPS]
    elif kind == CLOSED:
        due = x[NOW] + drawn * x[station + GAPS]
    if due >= x[station + UNTIL]:
        return 2
    x[station + DUE] = due
    if keys:
        if dry(n, keys):
            return 2
        key = cython.cast(cython.longlong, draw(n, x, keys))
    record = n[FREE]
    n[FREE] = n[record + NEXT]
    n[record + IDENT] = n[station + RECORDS_GIVEN]
    n[record + SIZE] = 1
    n[record + KEY] = key
    n[record + ORIGIN] = station
    n[record + ROOT] = 0
    x[record + BORN] = due
    n[station + RECORDS_GIVEN] += 1
    n[server + RECORD] = record
    x[server + ASKED] = due
    if kind == CLOSED:
        n[server + GAVE] = 1
        n[server + LIVE] = 1
        n[record + ROOT] = server
    if due > x[NOW]:
        turn(n, x, server, STARVED)
        arm(n, x, server, due)
        return 1
    return 0


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def wake_delay(n: cython.p_longlong, x: cython.p_double, pipe: cython.longlong) -> cython.double:
    """Return how long a server takes to run after it slept for a record from this pipe."""
    host: cython.longlong
    occupied: cython.longlong
    if n[pipe + WAKE] == WAKE_FREE:
        return 0.0
    host = n[n[pipe + DOWNSTREAM] + HOST]
    if n[pipe + WAKE] == WAKE_FAR:
        return x[host + FAR]
    occupied = n[host + TASKS] + (1 if n[pipe + WAKE] == WAKE_BY_TIMER else 2)
    return x[host + FAR] if occupied <= n[host + WHOLE] else x[host + NEAR]


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def choose_output(
    n: cython.p_longlong, x: cython.p_double, station: cython.longlong, key: cython.longlong
) -> cython.longlong:
    """Return the one output that a record goes to, where it does not go to all."""
    count: cython.longlong = n[station + OUTPUT_COUNT]
    split: cython.longlong = n[station + SPLIT]
    place: cython.longlong = 0
    other: cython.longlong
    load: cython.longlong
    least: cython.longlong
    drawn: cython.double
    if count == 1:
        return n[n[station + OUTPUTS]]
    if split == SPLIT_TURNS:
        place = n[station + OUTPUT_TURN]
        while n[n[n[station + OUTPUTS] + place] + GONE] and n[station + UNREAD] < count:
            place = (place + 1) % count
        n[station + OUTPUT_TURN] = (place + 1) % count
    elif split == SPLIT_KEY:
        place = key % count
    elif split == SPLIT_DRAWN:
        drawn = draw(n, x, n[station + ROUTE])
        while place < count - 1 and drawn >= x[n[station + BOUNDS] + place]:
            place += 1
    else:
        least = -1
        for other in range(count):
            if n[n[n[station + OUTPUTS] + other] + GONE] and n[station + UNREAD] < count:
                continue
            load = n[n[n[station + OUTPUTS] + other] + LEVEL] + n[n[n[station + OUTPUTS] + other] + CLAIMED]
            if least < 0 or load < least:
                least = load
                place = other
    return n[n[station + OUTPUTS] + place]


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def resize(
    n: cython.p_longlong, x: cython.p_double, station: cython.longlong, size: cython.longlong
) -> cython.longlong:
    """Return the size of a record that is given for one of that size."""
    drawn: cython.longlong
    if n[station + SIZES]:
        drawn = cython.cast(cython.longlong, draw(n, x, n[station + SIZES]))
        return drawn if drawn > 1 else 1
    return n[station + FIXED_SIZE] if n[station + FIXED_SIZE] else size


@cython.cfunc
@cython.exceptval(check=False)
def leave(n: cython.p_longlong, x: cython.p_double, station: cython.longlong, record: cython.longlong) -> cython.void:
    """Let a record leave the circuit."""
    at: cython.longlong
    n[EXITED] += 1
    note_departure(n, x, station, record)
    if n[EXITS_MOST]:
        at = n[EXITS_NOTED]
        n[EXITS_NOTED] = at + 1
        n[n[EXITS] + 2 * at] = n[station + NUMBER]
        n[n[EXITS] + 2 * at + 1] = n[n[record + ORIGIN] + NUMBER]
        x[n[EXITS] + 2 * at] = x[NOW]
        x[n[EXITS] + 2 * at + 1] = x[record + BORN]
    vanish(n, record)


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def note_visit(n: cython.p_longlong, x: cython.p_double, server: cython.longlong) -> cython.void:
    """Log that a server has dealt with a record, where asked to."""
    at: cython.longlong
    if n[VISITS_MOST]:
        at = n[VISITED]
        n[VISITED] = at + 1
        n[n[VISITS] + 4 * at] = n[n[server + STATION] + NUMBER]
        n[n[VISITS] + 4 * at + 1] = n[server + IDENT_TAKEN]
        x[n[VISITS] + 4 * at] = x[server + ASKED]
        x[n[VISITS] + 4 * at + 1] = x[server + GOT]
        x[n[VISITS] + 4 * at + 2] = x[server + SERVED]
        x[n[VISITS] + 4 * at + 3] = x[NOW]


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def logs_full(n: cython.p_longlong) -> cython.bint:
    """Whether what one move can log may not find room."""
    return (
        (n[DEPARTURES_MOST] != 0 and n[DEPARTED] + n[SERVERS] + 2 > n[DEPARTURES_MOST])
        or (n[EXITS_MOST] != 0 and n[EXITS_NOTED] + 2 > n[EXITS_MOST])
        or (n[VISITS_MOST] != 0 and n[VISITED] + 2 > n[VISITS_MOST])
    )


@cython.cfunc
@cython.exceptval(check=False)
def rest(n: cython.p_longlong, x: cython.p_double, server: cython.longlong) -> cython.void:
    """Let a server that found nothing to take sleep, or rest where it is not to take any."""
    station: cython.longlong = n[server + STATION]
    turn(n, x, server, STARVED)
    n[server + LINK] = 0
    if n[server + PLACE_AT_STATION] < n[station + ACTIVE]:
        n[server + SLEPT] = 1
        if n[station + SLEEPER_FIRST]:
            n[n[station + SLEEPER_LAST] + LINK] = server
        else:
            n[station + SLEEPER_FIRST] = server
        n[station + SLEEPER_LAST] = server
    else:
        if n[station + RESTING_FIRST]:
            n[n[station + RESTING_LAST] + LINK] = server
        else:
            n[station + RESTING_FIRST] = server
        n[station + RESTING_LAST] = server


@cython.cfunc
@cython.exceptval(check=False)
def end_server(n: cython.p_longlong, x: cython.p_double, server: cython.longlong) -> cython.void:
    """A server has ended; with the last one of its station the outputs close, and the inputs have no reader."""
    station: cython.longlong = n[server + STATION]
    place: cython.longlong
    record: cython.longlong
    turn(n, x, server, STARVED)
    n[server + ENDED] = 1
    n[station + RUNNING_SERVERS] -= 1
    if n[station + RUNNING_SERVERS] == 0:
        for place in range(n[station + OUTPUT_COUNT]):
            close(n, n[n[station + OUTPUTS] + place])
        while n[station + INTERRUPTED]:
            record = n[station + INTERRUPTED]
            n[station + INTERRUPTED] = n[record + NEXT]
            vanish(n, record)
            n[station + LOST] += 1
            loop_gives_up(n, station, 1)
        for place in range(n[station + INPUT_COUNT]):
            abandon(n, x, n[n[station + INPUTS] + place])


@cython.cfunc
@cython.exceptval(check=False)
def lose(n: cython.p_longlong, x: cython.p_double, server: cython.longlong, record: cython.longlong) -> cython.bint:
    """Lose a record that nobody is going to read; whether that ends the server, since nobody reads it any more."""
    station: cython.longlong = n[server + STATION]
    n[station + LOST] += 1
    vanish(n, record)
    if n[station + UNREAD] < n[station + OUTPUT_COUNT]:
        return False
    if n[server + COPIES_LEFT]:
        n[server + COPIES_LEFT] = 0
        vanish(n, n[server + ONE])
    if n[server + GIVE_LEFT]:
        n[server + GIVE_LEFT] = 0
        vanish(n, n[server + RECORD])
    loop_gives_up(n, station, 1)
    end_server(n, x, server)
    return True


@cython.cfunc
@cython.exceptval(check=False)
def offer(
    n: cython.p_longlong, x: cython.p_double, server: cython.longlong, record: cython.longlong, pipe: cython.longlong
) -> cython.int:
    """Put a record into a pipe by the rule of the station: 0 the server has to wait, 1 done, 2 nobody reads it."""
    station: cython.longlong = n[server + STATION]
    places: cython.longlong = 1 if n[pipe + UNIT] == UNIT_RECORDS else n[record + SIZE]
    if n[pipe + GONE]:
        return 2
    if n[station + WHEN_FULL] == FULL_BEFORE:
        n[pipe + CLAIMED] -= places
        n[record + LEFT] = 0
        change(n, x, pipe, places)
        enter(n, x, pipe, record)
        departed(n, x, server, record, pipe)
        return 1
    if n[station + WHEN_FULL] == FULL_DROP and not fits(n, pipe, n[record + SIZE]):
        n[station + LOST] += 1
        vanish(n, record)
        return 1
    n[record + LEFT] = n[record + SIZE]
    if n[pipe + WRITER_FIRST] == 0 and push(n, x, pipe, server, record):
        return 1
    n[server + HAND] = record
    queue_up(n, pipe, server)
    turn(n, x, server, BLOCKED)
    n[server + PIPE] = pipe
    return 0


@cython.cfunc
@cython.exceptval(check=False)
def step(n: cython.p_longlong, x: cython.p_double, server: cython.longlong) -> cython.int:
    """Let a server go on from its phase until it has to wait; 0, or the code of what it needs to go on."""
    station: cython.longlong = n[server + STATION]
    phase: cython.longlong = n[server + PHASE]
    record: cython.longlong
    pipe: cython.longlong
    rank: cython.longlong
    place: cython.longlong
    count: cython.longlong
    amount: cython.double
    code: cython.int
    if n[server + BROKEN]:
        n[server + BROKEN] = 0
        if lose(n, x, server, n[server + HAND]):
            return 0
    while True:
        if phase == TAKE or phase == RETAKE:
            if phase == TAKE:
                x[server + ASKED] = x[NOW]
            n[server + PHASE] = RETAKE
            if logs_full(n):
                return DRAIN
            if n[station + SOURCE] != NO_SOURCE:
                code = next_of_source(n, x, server)
                if code == 3:
                    turn(n, x, server, STARVED)
                    return 0
                if code >= 10:
                    return code - 10
                if code == 2:
                    end_server(n, x, server)
                    return 0
                n[server + PHASE] = phase = GOT_ONE
                if code == 1:
                    return 0
                continue
            pipe = 0
            code = n[station + TAKES] >= 0 and n[station + TAKEN] >= n[station + TAKES]
            if n[server + PLACE_AT_STATION] < n[station + ACTIVE] and not code:
                pipe = choose(n, x, station)
                record = n[station + INTERRUPTED]
                if record and (pipe == 0 or n[record + RANK] <= rank_of_head(n, pipe)):
                    n[station + INTERRUPTED] = n[record + NEXT]
                    x[station + INTERRUPTED_TIME] += x[NOW] - x[record + INTERRUPTED_SINCE]
                    x[server + ASKED] = x[record + FIRST_ASKED]
                    x[server + GOT] = x[record + FIRST_GOT]
                    n[server + RECORD] = record
                    n[server + IDENT_TAKEN] = n[record + IDENT]
                    n[server + SLEPT] = 0
                    if work(n, x, server, x[record + REST], WORK_DONE):
                        return 0
                    phase = WORK_DONE
                    continue
            if pipe == 0:
                if not code and not all_over(n, station):
                    rest(n, x, server)
                    return 0
                if n[station + BARRIER] and n[station + KEPT]:
                    amount = x[station + FINISH] * x[station + FACTOR]
                    if work(n, x, server, amount, FINISH_DONE):
                        return 0
                    phase = FINISH_DONE
                    continue
                end_server(n, x, server)
                return 0
            if n[station + PREEMPTS]:
                rank = rank_of_head(n, pipe)
                n[server + RECORD] = fetch(n, x, station, pipe)
                n[n[server + RECORD] + RANK] = rank
            else:
                n[server + RECORD] = fetch(n, x, station, pipe)
            phase = GOT_ONE
            if n[server + SLEPT]:
                n[server + SLEPT] = 0
                amount = wake_delay(n, x, pipe)
                if amount > 0.0:
                    n[server + PHASE] = GOT_ONE
                    turn(n, x, server, RUNNABLE)
                    arm(n, x, server, x[NOW] + amount)
                    return 0

        if phase == GOT_ONE:
            record = n[server + RECORD]
            n[server + PHASE] = GOT_ONE
            if n[station + WHEN_FULL] == FULL_BEFORE:
                if dry(n, n[station + SIZES]):
                    n[NEED] = n[station + SIZES]
                    return REFILL
                if dry(n, n[station + ROUTE]):
                    n[NEED] = n[station + ROUTE]
                    return REFILL
            x[server + GOT] = x[NOW]
            n[server + IDENT_TAKEN] = n[record + IDENT]
            n[station + TAKEN] += 1
            phase = CLAIM_DONE
            if n[station + WHEN_FULL] == FULL_BEFORE:
                n[record + SIZE] = resize(n, x, station, n[record + SIZE])
                if n[station + OUTPUT_COUNT]:
                    pipe = choose_output(n, x, station, n[record + KEY])
                    n[server + PIPE] = pipe
                    n[server + HAND] = record
                    if n[pipe + GONE] == 0 and (n[pipe + WRITER_FIRST] or not fits(n, pipe, n[record + SIZE])):
                        n[server + CLAIMING] = 1
                        queue_up(n, pipe, server)
                        turn(n, x, server, BLOCKED)
                        n[server + PHASE] = CLAIM_DONE
                        return 0
                    n[pipe + CLAIMED] += 1 if n[pipe + UNIT] == UNIT_RECORDS else n[record + SIZE]

        if phase == CLAIM_DONE:
            n[server + CLAIMING] = 0
            n[server + PHASE] = CLAIM_DONE
            if dry(n, n[station + SERVICE]):
                n[NEED] = n[station + SERVICE]
                return REFILL
            amount = x[station + BASE] + x[station + PER_BYTE] * n[n[server + RECORD] + SIZE]
            if n[station + SERVICE]:
                amount = amount * draw(n, x, n[station + SERVICE])
            amount = amount * x[station + FACTOR]
            if work(n, x, server, amount, WORK_DONE):
                return 0
            phase = WORK_DONE

        if phase == WORK_DONE:
            worked(n, x, server)
            phase = DELAY_DONE
            if x[station + DELAY] > 0.0:
                n[server + PHASE] = DELAY_DONE
                turn(n, x, server, WAITING)
                arm(n, x, server, x[NOW] + x[station + DELAY])
                return 0

        if phase == DELAY_DONE:
            n[server + PHASE] = DELAY_DONE
            if dry(n, n[station + YIELDS]):
                n[NEED] = n[station + YIELDS]
                return REFILL
            x[server + SERVED] = x[NOW]
            record = n[server + RECORD]
            if n[station + YIELDS]:
                count = cython.cast(cython.longlong, draw(n, x, n[station + YIELDS]))
            elif n[station + NUMERATOR] == 1 and n[station + DENOMINATOR] == 1:
                count = 1
            else:
                n[station + CARRY] += n[station + NUMERATOR]
                count = n[station + CARRY] // n[station + DENOMINATOR]
                n[station + CARRY] -= count * n[station + DENOMINATOR]
            if n[station + BARRIER]:
                n[station + ANSWERS] += count
                if n[station + KEPT]:
                    vanish(n, n[station + KEPT])
                n[station + KEPT] = record
                count = 0
            elif count <= 0:
                vanish(n, record)
                count = 0
            n[server + SIZE_TAKEN] = n[record + SIZE]
            n[server + GIVE_LEFT] = count
            phase = GIVE

        if phase == GIVE:
            while n[server + GIVE_LEFT]:
                n[server + PHASE] = GIVE
                if n[station + WHEN_FULL] != FULL_BEFORE:
                    if dry(n, n[station + SIZES]):
                        n[NEED] = n[station + SIZES]
                        return REFILL
                    if dry(n, n[station + ROUTE]):
                        n[NEED] = n[station + ROUTE]
                        return REFILL
                if n[FREE] == 0:
                    return GROW
                if logs_full(n):
                    return DRAIN
                n[server + GIVE_LEFT] -= 1
                record = n[server + RECORD]
                if n[server + GIVE_LEFT]:
                    record = clone(n, x, record)
                if n[station + WHEN_FULL] != FULL_BEFORE:
                    n[record + SIZE] = resize(n, x, station, n[server + SIZE_TAKEN])
                if n[station + OUTPUT_COUNT] == 0:
                    leave(n, x, station, record)
                    continue
                n[server + ONE] = record
                if n[station + SPLIT] == SPLIT_COPY and n[station + OUTPUT_COUNT] > 1:
                    n[server + COPIES_LEFT] = n[station + OUTPUT_COUNT]
                    phase = PUT
                    break
                if n[station + WHEN_FULL] != FULL_BEFORE:
                    n[server + PIPE] = choose_output(n, x, station, n[record + KEY])
                code = offer(n, x, server, record, n[server + PIPE])
                if code == 0:
                    n[server + PHASE] = GIVE
                    return 0
                if code == 2 and lose(n, x, server, record):
                    return 0
            if phase == GIVE:
                phase = PUT_DONE

        if phase == PUT:
            while n[server + COPIES_LEFT]:
                n[server + PHASE] = PUT
                if n[FREE] == 0:
                    return GROW
                if logs_full(n):
                    return DRAIN
                place = n[station + OUTPUT_COUNT] - n[server + COPIES_LEFT]
                n[server + COPIES_LEFT] -= 1
                record = n[server + ONE]
                if n[server + COPIES_LEFT]:
                    record = clone(n, x, record)
                code = offer(n, x, server, record, n[n[station + OUTPUTS] + place])
                if code == 0 or (code == 2 and lose(n, x, server, record)):
                    return 0
            phase = GIVE
            continue

        if phase == PUT_DONE:
            if n[server + ANSWER] >= 0:
                n[server + ANSWER] += 1
                phase = NEXT_ANSWER
            else:
                note_visit(n, x, server)
                loop_gives_up(n, station, 1)
                phase = TAKE
                continue

        if phase == FINISH_DONE:
            worked(n, x, server)
            n[server + ANSWER] = 0
            phase = NEXT_ANSWER

        if phase == NEXT_ANSWER:
            n[server + PHASE] = NEXT_ANSWER
            if n[server + ANSWER] >= n[station + ANSWERS]:
                end_server(n, x, server)
                return 0
            if n[FREE] == 0:
                return GROW
            record = clone(n, x, n[station + KEPT])
            n[record + IDENT] = n[server + ANSWER]
            n[server + RECORD] = record
            if work(n, x, server, x[station + OUTPUT] * x[station + FACTOR], ANSWER_DONE):
                return 0
            phase = ANSWER_DONE

        if phase == ANSWER_DONE:
            worked(n, x, server)
            n[server + SIZE_TAKEN] = n[n[server + RECORD] + SIZE]
            n[server + GIVE_LEFT] = 1
            phase = GIVE


@cython.ccall
def run(
    numbers: cython.longlong[::1], reals: cython.double[::1], until: cython.double, exits: cython.longlong
) -> cython.int:
    """Run until a time (s) or a number of exits, or until something is needed; return why, as `layout` numbers it."""
    n: cython.p_longlong
    x: cython.p_double
    if cython.compiled:
        n = cython.address(numbers[0])
        x = cython.address(reals[0])
    else:
        n = numbers
        x = reals
    return loop(n, x, until, exits)


@cython.cfunc
@cython.exceptval(check=False)
def loop(n: cython.p_longlong, x: cython.p_double, until: cython.double, exits: cython.longlong) -> cython.int:
    """Event after event: all that was called at this instant, then the cores, then the next instant."""
    server: cython.longlong
    leaf: cython.longlong
    time: cython.double
    code: cython.int
    while True:
        if n[RESUME]:
            server = n[RESUME]
            n[RESUME] = 0
        elif n[READY_COUNT]:
            server = n[n[READY] + n[READY_FIRST]]
            n[READY_FIRST] = (n[READY_FIRST] + 1) & n[READY_MASK]
            n[READY_COUNT] -= 1
        else:
            if n[UNSETTLED]:
                settle(n, x)
            leaf = n[n[TREE] + 1]
            time = x[n[TREE] + 1]
            if time == INF:
                return QUIET
            if time >= until or n[EXITED] >= exits:
                return REACHED
            x[NOW] = time
            n[STEPS] += 1
            server = n[n[OWNERS] + leaf]
            if leaf >= n[SERVERS]:
                server = finish_task(n, x, server)
            else:
                n[FIRED] = server  # most servers arm themselves again: then its leaf need not be cleared before
        code = step(n, x, server)
        if code:
            if code == REFILL and n[n[NEED] + STREAM_ENDED]:
                code = EXHAUSTED
            n[RESUME] = server
            return code
        if n[FIRED]:
            set_key(n, x, n[TREE], n[LEAVES], n[RANKS], n[n[FIRED] + LEAF], INF)
            n[FIRED] = 0
