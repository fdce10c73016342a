"""File names of an artifact folder's manifest and of the manifest's signature."""

MANIFEST = "MANIFEST.json"
SIGNATURE = "MANIFEST.json.sig"  # signs the manifest, and through it every file
