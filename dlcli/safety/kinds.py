"""What a file is, told by how it begins: a suffix is only what somebody called it."""

# What each begins with, and what it is called in a sentence.
STARTS = (
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "an old PyTorch checkpoint, which is a pickle"),
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\x00", "an xz file"),
    (b"(\xb5/\xfd", "a Zstandard file"),
    (b"7z\xbc\xaf'\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"%PDF", "a PDF document"),
    (b"GGUF", "a GGUF model"),
    (b"version https://git-lfs", "a pointer of Git LFS and not the file itself"),
)
ZIP, HDF5 = "a zip archive", "an HDF5 file"
EMPTY = "empty"

# What Keras reads, by the suffix that it insists on.
SUFFIXES = {".keras": ZIP, ".h5": HDF5, ".hdf5": HDF5}
ENDINGS = {ZIP: ".keras", HDF5: ".h5"}


def of(start: bytes, size: int) -> str:
    """The kind of a file from its first 512 bytes."""
    if not size:
        return EMPTY
    for magic, kind in STARTS:
        if start.startswith(magic):
            return kind
    if start[257:262] == b"ustar":
        return "a tar archive"
    if len(start) > 8 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size:
        return "a safetensors file, which holds weights and no architecture"
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        # a letter may be cut in two at the end
        if error.start < len(start) - 4:
            return "of no kind that is known here"
    if b"\x00" in start:
        return "of no kind that is known here"
    return "a web page" if start.lstrip()[:5].lower() in (b"<html", b"<!doc") else "a text"


def of_members(names: list[str]) -> str:
    """What kind of zip archive it is, from what lies in it."""
    if "config.json" in names:
        return "a model of Keras (.keras)"
    if any(name.endswith("/data.pkl") or name == "data.pkl" for name in names):
        return "a PyTorch checkpoint, whose weights lie in a pickle"
    if names and all(name.endswith(".npy") for name in names):
        return "a NumPy archive (.npz)"
    return "a zip archive and no model of Keras: it has no config.json"
