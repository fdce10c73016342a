"""Signatures of clocks: Ed25519 (RFC 8032, by `cryptography`) over MANIFEST.json, and so over every file in it.

The manifest proves that a folder is complete; the signature proves its author.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from heteroage.clock.seal import MANIFEST, SIGNATURE
from heteroage.errors import HeteroAgeError
from heteroage.files import atomic_path

MOST_KEY = 64 * 2**10  # maximum size of a key file, in bytes


def make_keys(private: Path, public: Path) -> None:
    """Create a pair of keys (PEM). Only the owner can read the private key. Existing files are never overwritten."""
    there = [str(path) for path in (private, public) if path.exists()]
    if there:
        raise HeteroAgeError(f"a key file exists already ({', '.join(there)}). Choose another file name.")
    key = Ed25519PrivateKey.generate()
    pem, encoding = key.private_bytes, serialization.Encoding.PEM
    content = pem(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with atomic_path(private) as beside:
        beside.chmod(0o600)  # before the key is written
        beside.write_bytes(content)
    with atomic_path(public) as beside:
        beside.write_bytes(key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo))


def sign(folder: Path, private: Path) -> None:
    """Sign a verified folder: write the signature into the folder, next to the manifest."""
    key = _load(private, lambda pem: serialization.load_pem_private_key(pem, None), Ed25519PrivateKey, "private")
    signature = key.sign((folder / MANIFEST).read_bytes())
    with atomic_path(folder / SIGNATURE) as beside:
        beside.write_bytes(base64.b64encode(signature) + b"\n")


def check_signature(folder: Path, manifest: bytes, public: Path) -> None:
    """Check that the manifest was signed with the private key of this public key.

    Raises
    ------
    HeteroAgeError
        No signature; the signature of another key or another manifest; invalid public key.
    """
    key = _load(public, serialization.load_pem_public_key, Ed25519PublicKey, "public")
    path = folder / SIGNATURE
    if path.is_symlink() or not path.is_file():
        raise HeteroAgeError(f"{folder} has no signature ({SIGNATURE}). Ask the author for a signed folder.")
    try:
        with path.open("rb") as stream:
            key.verify(base64.b64decode(stream.read(1024).strip(), validate=True), manifest)
    except (InvalidSignature, binascii.Error) as error:
        raise HeteroAgeError(
            f"{folder} was not signed by the owner of {public}, or was changed after signing. Do not use it."
        ) from error


def _load(path: Path, read: object, kind: type, word: str) -> object:
    try:
        with path.open("rb") as stream:
            key = read(stream.read(MOST_KEY))
    except OSError as error:
        raise HeteroAgeError(f"cannot read the {word} key {path}: {error.strerror}. Check the path.") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise HeteroAgeError(
            f"{path} is not a readable {word} key ({error}). Give an Ed25519 key in PEM without a password."
        ) from error
    if not isinstance(key, kind):
        raise HeteroAgeError(f"{path} is not an Ed25519 {word} key. Create a pair with `heteroage make-keys`.")
    return key
