"""Certificates that a test makes for itself, with the openssl command."""
import dataclasses
import hashlib
import pathlib
import shutil
import ssl
import subprocess
import tempfile


@dataclasses.dataclass(frozen=True)
class Certificate:
    chain: pathlib.Path
    key: pathlib.Path

    @property
    def der(self):
        return ssl.PEM_cert_to_DER_cert(self.chain.read_text(encoding="ascii"))

    @property
    def fingerprint(self):
        return hashlib.sha256(self.der).hexdigest()

    def server(self):
        """For asyncio.start_server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context

    def copy_to(self, chain, key):
        shutil.copyfile(self.chain, chain)
        shutil.copyfile(self.key, key)


class Authority:
    """A root of its own, and what it has signed."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="spx-certificates-"))
        self._issued = 0
        self.root = self._self_signed("root", [])

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def _openssl(self, *arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"openssl {arguments[0]}: {done.stderr.decode()}")

    def _self_signed(self, name, options):
        made = Certificate(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2,
                      "-subj", f"/CN={name}", "-keyout", made.key, "-out", made.chain, *options)
        return made

    def self_signed(self, names="DNS:localhost,IP:127.0.0.1"):
        self._issued += 1
        return self._self_signed(f"alone{self._issued}", ["-addext", f"subjectAltName={names}"])

    def issue(self, names="DNS:localhost,IP:127.0.0.1", days=2):
        """Signed by the root. Of days below 0: expired."""
        self._issued += 1
        stem = self.directory / f"issued{self._issued}"
        made = Certificate(stem.with_suffix(".pem"), stem.with_suffix(".key"))
        request, extensions = stem.with_suffix(".csr"), stem.with_suffix(".ext")
        extensions.write_text(f"subjectAltName={names}\n", encoding="ascii")
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=test",
                      "-keyout", made.key, "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.root.chain, "-CAkey", self.root.key, "-CAcreateserial",
                      "-days", days, "-extfile", extensions, "-out", made.chain)
        return made

    def client(self):
        """For asyncio.open_connection: trusts what this root has signed."""
        return ssl.create_default_context(cafile=self.root.chain)
