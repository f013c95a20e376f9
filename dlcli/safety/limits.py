"""What a file may ask for. A model that needs more than this is larger than anything that fits a single machine."""

MIB = 1 << 20

FILE = 8 << 30  # bytes of a file
MEMBERS = 1000  # files in an archive; Keras writes three, and one for each vocabulary
DIRECTORY = MIB  # bytes of an archive's table of contents
CONFIG = 16 * MIB  # bytes of a configuration in JSON
DEPTH = 200  # how deep it may be nested
NODES = 1_000_000  # values in it
LAYERS = 5000  # layers in it
CALLS = 20_000  # calls of layers: a model within a model within a model is called 2 * 2 * 2 times
RATIO = 20  # how much a member larger than a MiB may unpack to, by its packed size; Keras does not compress
UNPACKED = 64 * MIB  # what all members together may have beyond twice the file

PACKED = 256 * MIB  # bytes of weights that somebody packed: they are unpacked in memory

OBJECTS = 100_000  # groups, arrays and attributes of an HDF5 file
GROUPS_DEEP = 64
ATTRIBUTE = 16 * MIB  # bytes of one attribute
CHUNK = 64 * MIB  # bytes of one chunk of an array
DECLARED = 64 * MIB  # what all arrays together may say they hold, beyond what lies on the disk for them

SPARE = 10_000  # numbers that a model may hold beyond its file's: states of random numbers, counters
ACTIVATIONS = 1 << 28  # numbers that one layer may make of one example: 1 GiB

MEMORY = 1536 * MIB  # address space of the process that reads first
SECONDS = 3  # of work that it may take, and one more for every SPEED bytes; an honest small file takes 0.3
SPEED = 50 * MIB


def seconds(size: int) -> int:
    """How long a processor may work at reading a file of that many bytes."""
    return SECONDS + size // SPEED
