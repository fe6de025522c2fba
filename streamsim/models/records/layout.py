"""Where things lie in the two arrays of the kernel: whole numbers in ``n``, reals in ``x``, the same index for both.

A *row* is a run of cells that belongs to one thing; its index (its handle) is where the row begins, so that a field of
it is ``n[row + FIELD]`` or ``x[row + FIELD]``. Row 0 is the simulation itself, so that handle 0 means "none". The build
turns these constants into C ones (`setup.py`): add one here and nowhere else.
"""

from __future__ import annotations

# --- the simulation: row 0
FREE = 0  # the first free record
STAMPS = 1  # how many times a record has entered a pipe
EXITED = 2
READY = 3  # where the ring of the servers that were called begins
READY_MASK = 4
READY_FIRST = 5
READY_COUNT = 6
RESUME = 7  # the server that goes on when the kernel is called again
NEED = 8  # the stream, or server, that the return code is about
TREE = 9  # the tree of all that is timed
LEAVES = 10
RANKS = 11  # who comes first at one instant, by leaf
OWNERS = 12  # the server or host of each leaf
UNSETTLED = 13  # the first host whose cores are to be shared out anew
LOGGING = 14
DEPARTURES = 15
DEPARTED = 16
DEPARTURES_MOST = 17
EXITS = 18
EXITS_NOTED = 19
EXITS_MOST = 20
VISITS = 21
VISITED = 22
VISITS_MOST = 23
SERVERS = 24
STEPS = 25  # completions and other timed events so far
FIRED = 26  # the server whose time has come, until it is armed again
NOW = 0  # (x)
SIMULATION_CELLS = 28

# --- a station
NUMBER = 0
SOURCE = 1
PICK = 2
SPLIT = 3
WHEN_FULL = 4
INPUTS = 5  # where its list of pipes begins
INPUT_COUNT = 6
OUTPUTS = 7
OUTPUT_COUNT = 8
HOST = 9
SERVICE = 10  # its streams
YIELDS = 11
SIZES = 12
ROUTE = 13
ARRIVALS = 14
KEYS = 15
NUMERATOR = 16
DENOMINATOR = 17
CARRY = 18
FIXED_SIZE = 19
BARRIER = 20
LOOP = 21
ACTIVE = 22
RUNNING_SERVERS = 23
SLEEPER_FIRST = 24
SLEEPER_LAST = 25
RESTING_FIRST = 26
RESTING_LAST = 27
INPUT_TURN = 28
OUTPUT_TURN = 29
NEXT_IDENT = 30
TAKEN = 31
GIVEN = 32
LOST = 33
ANSWERS = 34
KEPT = 35
FIRST_SERVER = 36
SERVER_COUNT = 37
RECORDS_MOST = 38
RECORDS_GIVEN = 39
URGENCY_GIVEN = 40
BOUNDS = 41
PREEMPTS = 42
INTERRUPTED = 43  # the first record whose service was interrupted
TAKES = 44  # after so many it ends; -1: never
UNREAD = 45  # how many of its outputs have lost their readers
BASE = 0  # (x)
PER_BYTE = 1
DELAY = 2
FINISH = 3
OUTPUT = 4
FACTOR = 5
GAPS = 6
UNTIL = 7
DUE = 8
INTERRUPTED_TIME = 9
STATION_CELLS = 46

# --- a server
STATION = 0
PLACE_AT_STATION = 1
LEAF = 2
HOST_LEAF = 3
PHASE = 4
STATE = 5
RECORD = 6  # the record taken
HAND = 7  # the record that it offers
ONE = 8  # the record whose copies it gives
GIVE_LEFT = 9
COPIES_LEFT = 10
PIPE = 11  # the pipe that it puts into, or has claimed a place in
LINK = 12
CLAIMING = 13
LIVE = 14
GAVE = 15
AWAITING = 16
SLEPT = 17
ENDED = 18
SIZE_TAKEN = 19
ANSWER = 20
IDENT_TAKEN = 21
BROKEN = 22  # whether the reader of the pipe that it waits for has ended
SINCE = 0  # (x)
TIMES = 1  # one for each state
CPU = 6
ASKED = 7
GOT = 8
SERVED = 9
WORK = 10
BEFORE = 11
SERVER_CELLS = 24

# --- a pipe
UPSTREAM = 0
DOWNSTREAM = 1
CAPACITY = 2
UNIT = 3
CLASSES = 4
QUEUES = 5  # where (first, last) of each class are
OPEN = 6
LEVEL = 7
CLAIMED = 8
WRITER_FIRST = 9
WRITER_LAST = 10
READER_LOOP = 11  # the loop that the reader is part of
ENTERED_LOOP = 12  # the same where the writer is not
WAKE = 13
PIECES = 14  # the ring of page pieces
SLOTS = 15
PIECE_FIRST = 16
PIECE_COUNT = 17
TAIL_END = 18
GONE = 19  # whether its reader has ended
AREA = 0  # (x)
LEVEL_SINCE = 1
PIPE_CELLS = 20

# --- a host
HOST_TREE = 0
HOST_LEAVES = 1
HOST_SERVERS = 2  # the server of each of its leaves
TASKS = 3
WHOLE = 4
CHANGED = 5
CHANGED_NEXT = 6
RATES = 7
SHARES = 8
TIMER_LEAF = 9
FIRED_TASK = 10  # the leaf of the task that has ended, plus 1, until it begins another
WORK_SERVED = 0  # (x)
CORES_USED = 1
HOST_SINCE = 2
RATE = 3
SHARE = 4
NEAR = 5
FAR = 6
HOST_CELLS = 12

# --- a stream
AT = 0
LENGTH = 1
PLACE = 2
STREAM_ENDED = 3
STREAM_STATION = 4
STREAM_CELLS = 6

# --- a feedback loop
INSIDE = 0
FEEDERS = 1
LOOP_PIPES = 2
LOOP_PIPE_COUNT = 3
LOOP_CELLS = 4

# --- a record
NEXT = 0
IDENT = 1
SIZE = 2
KEY = 3
ORIGIN = 4  # the station of the source that it comes from
ROOT = 5
LEFT = 6
STAMP = 7
RANK = 6  # its class while it is served at a station that preempts; until then nothing else is in this cell (LEFT)
BORN = 0  # (x)
REST = 1  # of an interrupted one: the work that is left, when it was asked for and got, since when it waits
FIRST_ASKED = 2
FIRST_GOT = 3
INTERRUPTED_SINCE = 4
RECORD_CELLS = 8

# --- states, as in `states`
STARVED = 0
RUNNING = 1
RUNNABLE = 2
WAITING = 3
BLOCKED = 4

# --- phases of a server: where it goes on
TAKE = 0
RETAKE = 1
GOT_ONE = 2
CLAIM_DONE = 3
WORK_DONE = 4
DELAY_DONE = 5
GIVE = 6
PUT = 7
PUT_DONE = 8
FINISH_DONE = 9
NEXT_ANSWER = 10
ANSWER_DONE = 11
TAKE_DUE = 12

# --- sources, picks, splits, units, what a full pipe does, what waking costs; in the order of the words in `pack`
NO_SOURCE = 0
SATURATED = 1
BY_GAPS = 2
BY_TIMES = 3
CLOSED = 4
PICK_READY = 0
PICK_ARRIVAL = 1
PICK_TURNS = 2
PICK_NEXT = 3
PICK_ORDER = 4
PICK_SEQUENCE = 5
PICK_JOIN = 6
SPLIT_COPY = 0
SPLIT_TURNS = 1
SPLIT_KEY = 2
SPLIT_DRAWN = 3
SPLIT_LEAST = 4
UNIT_RECORDS = 0
UNIT_BYTES = 1
UNIT_SPLIT = 2
UNIT_PAGES = 3
UNIT_HANDOVER = 4
FULL_AFTER = 0
FULL_BEFORE = 1
FULL_DROP = 2
WAKE_FREE = 0
WAKE_FAR = 1
WAKE_BY_SERVER = 2
WAKE_BY_TIMER = 3
PAGE_BYTES = 4096

# --- why the kernel returned
QUIET = 0  # nothing is left to happen
REACHED = 1  # the time, or the number of exits
REFILL = 2  # the stream NEED is empty
GROW = 3  # there is no free record
DRAIN = 4  # a log is full
EXHAUSTED = 5  # the stream NEED has ended, but a number is needed
