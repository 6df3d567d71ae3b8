"""A listener as in production: TLS with certificates on both sides, SCRAM users, and no right but those given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from weir.edges.kafka.client import client_config
from weir.settings import Settings, load

from tests.kafka_cluster import Cluster

MECHANISM = "SCRAM-SHA-512"
ADMIN = "admin"
KEY_PASSWORD = "of the key of clients"


def password_of(user: str) -> str:
    return f"secret-of-{user}"


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority in a folder: ca.pem, and NAME.pem with NAME.key for each certificate that it signs."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @staticmethod
    def new(folder: Path, name: str) -> Authority:
        folder.mkdir(parents=True)
        key = ec.generate_private_key(ec.SECP256R1())
        made = Authority(folder, key, _certificate(name, key, name, key, x509.BasicConstraints(ca=True, path_length=0)))
        made.ca.write_bytes(_pem(made.certificate))
        return made

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def sign(self, name: str, password: str = "") -> tuple[Path, Path]:
        """Files of a new certificate for 127.0.0.1 and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        issuer = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        certificate = _certificate(name, key, str(issuer), self.key, address)
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        files[0].write_bytes(_pem(certificate))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption(),
            )
        )
        return files


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .sign(signer, hashes.SHA256())
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True, slots=True)
class Secured:
    """A running cluster of one node with a secured listener, and what a client of it needs."""

    cluster: Cluster
    authority: Authority
    client: tuple[Path, Path]

    def settings(self, settings: Settings, user: str) -> Settings:
        """`settings` with the secured listener as the broker, for that user."""
        return settings.having(**_client(self.authority, self.client, user) | {"brokers": self.cluster.brokers})


def _client(authority: Authority, files: tuple[Path, Path], user: str) -> dict[str, object]:
    return dict(
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism=MECHANISM,
        kafka_sasl_username=user,
        kafka_sasl_password=SecretStr(password_of(user)),
        kafka_ssl_ca_file=str(authority.ca),
        kafka_ssl_certificate_file=str(files[0]),
        kafka_ssl_key_file=str(files[1]),
        kafka_ssl_key_password=SecretStr(KEY_PASSWORD),
    )


@contextmanager
def secured(folder: Path, users: tuple[str, ...]) -> Iterator[Secured]:
    """A cluster with those users beside the administrator; skips the test where there is no Kafka."""
    authority = Authority.new(folder / "authority", "weir tests")
    certificate, key = authority.sign("broker")
    store = authority.folder / "broker-store.pem"  # Kafka wants the two in one file
    store.write_bytes(key.read_bytes() + certificate.read_bytes())
    client = authority.sign("client", KEY_PASSWORD)
    listener = "listener.name.client"
    properties = {
        f"{listener}.ssl.keystore.type": "PEM",
        f"{listener}.ssl.keystore.location": str(store),
        f"{listener}.ssl.truststore.type": "PEM",
        f"{listener}.ssl.truststore.location": str(authority.ca),
        f"{listener}.ssl.client.auth": "required",
        f"{listener}.sasl.enabled.mechanisms": MECHANISM,
        f"{listener}.{MECHANISM.lower()}.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{ADMIN};User:ANONYMOUS",  # the latter: the nodes among themselves
    }
    scram = [f"--add-scram={MECHANISM}=[name={user},password={password_of(user)}]" for user in (ADMIN, *users)]
    admin = client_config(load(**_client(authority, client, ADMIN)).kafka, "tests")
    with Cluster(
        folder, 1, properties=properties, client_protocol="SASL_SSL", format_options=tuple(scram), admin=admin
    ) as cluster:
        yield Secured(cluster, authority, client)
