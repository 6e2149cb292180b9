"""Hashes of passwords, by the library that has always had them: Python's own module went with 3.13."""

import ctypes

_library = ctypes.CDLL("libcrypt.so.1")
_library.crypt.restype = ctypes.c_char_p


def bcrypt(password, cost):
    """The hash of `password` with a salt that is always the same, for a file of `basic_auth_users`."""
    made = _library.crypt(password.encode(), f"$2b${cost:02}$abcdefghijklmnopqrstuu".encode())
    if made is None:
        raise RuntimeError("libcrypt knows no bcrypt")
    return made.decode()
