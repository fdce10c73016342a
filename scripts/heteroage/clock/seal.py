"""What seals an artifact folder: the names of its manifest and of the manifest's signature."""

MANIFEST = "MANIFEST.json"
SIGNATURE = "MANIFEST.json.sig"  # stands beside the manifest: it signs it, and through it every file
