"""The certificate for other machines: the operator's, as it comes, or one of fink's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import PrivateFormat, load_pem_private_key

from fink_cli.cluster.operators_certificate import PublicKeystore, operators_keystore
from fink_cli.cluster.public_certificate import write_public_keystore
from fink_cli.cluster.record import (
    PublicListener,
    authority_file,
    public_authority_file,
    public_keystore_file,
)
from fink_cli.cluster.start_options import new_cluster
from fink_cli.cluster.tls import ensure_certificates, names_of
from fink_cli.errors import UsageError
from tests.support.certificates import Key, ec_key, new_authority, rsa_key, write_chain, write_key

AUTHORITY = new_authority()
INTERMEDIATE_KEY = ec_key()


@pytest.fixture
def listener(tmp_path: Path) -> PublicListener:
    return PublicListener(
        address="192.0.2.1",
        port=9193,
        tls=True,
        advertised_host="fink.example.org",
        certificate=str(tmp_path / "fullchain.pem"),
        key=str(tmp_path / "privkey.pem"),
    )


def write(tmp_path: Path, key: Key, *names: str, days: float = 90, root: bool = False) -> None:
    leaf = AUTHORITY.certify(key, *names, days=days)
    write_chain(tmp_path / "fullchain.pem", leaf, *[AUTHORITY.certificate] * root)
    write_key(tmp_path / "privkey.pem", key)


def keystore_of(listener: PublicListener) -> PublicKeystore:
    keystore = operators_keystore(listener)
    assert keystore is not None
    return keystore


@pytest.mark.parametrize("make_key", [rsa_key, ec_key])
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_keys_of_every_form_become_what_kafka_reads(
    listener: PublicListener, tmp_path: Path, make_key: Callable[[], Key], form: PrivateFormat
) -> None:
    key = make_key()
    write(tmp_path, key, "fink.example.org", root=True)
    write_key(tmp_path / "privkey.pem", key, form)
    pem = keystore_of(listener).pem
    assert pem.count("-----BEGIN PRIVATE KEY-----") == 1
    assert load_pem_private_key(pem.encode(), None).public_key() == key.public_key()
    assert len(x509.load_pem_x509_certificates(pem.encode())) == 2
    assert "PRIVATE" not in repr(keystore_of(listener))


@pytest.mark.parametrize("name", ["fink.example.org", "*.example.org", "FINK.example.org"])
def test_it_must_be_for_the_advertised_host(
    listener: PublicListener, tmp_path: Path, name: str
) -> None:
    write(tmp_path, ec_key(), "other.example.org", name)
    assert keystore_of(listener)
    for host in ("example.org", "a.fink.example.org", "192.0.2.1"):
        with pytest.raises(UsageError, match=r"is not for .*, but for other\.example\.org"):
            operators_keystore(replace(listener, advertised_host=host))


def test_a_root_in_the_chain_is_for_the_clients(listener: PublicListener, tmp_path: Path) -> None:
    write(tmp_path, ec_key(), "fink.example.org", root=True)
    root = x509.load_pem_x509_certificate(keystore_of(listener).authority.encode())
    assert root == AUTHORITY.certificate
    write(tmp_path, ec_key(), "fink.example.org")
    assert keystore_of(listener).authority == ""
    # What clients of an earlier certificate needed is not left behind.
    cluster = replace(new_cluster(1), public=listener)
    public_authority_file(tmp_path).parent.mkdir()
    public_authority_file(tmp_path).touch()
    write_public_keystore(tmp_path, cluster)
    assert not public_authority_file(tmp_path).exists()


def test_what_can_t_be_used_is_named(listener: PublicListener, tmp_path: Path) -> None:
    chain, key = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"

    def refused(why: str) -> None:
        with pytest.raises(UsageError, match=why):
            operators_keystore(listener)

    refused("can't be read")
    chain.write_text("no certificate")
    refused("holds no certificate")
    write(tmp_path, ec_key(), "fink.example.org")
    key.chmod(0o640)
    refused("holds a private key and others can read it")
    key.chmod(0o600)
    assert keystore_of(listener)
    key.write_text("no key")
    refused("holds no private key")
    write_key(key, ec_key(), passphrase=b"secret")
    refused("has a passphrase")
    write_key(key, ec_key())
    refused("is not that of the first certificate")
    other = ed25519.Ed25519PrivateKey.generate()
    write_key(key, other)  # type: ignore[arg-type]
    refused("neither of RSA nor of an elliptic curve")
    write(tmp_path, ec_key(), "fink.example.org", days=-0.5)
    refused("is valid from .* only")


def test_fink_s_own_is_for_the_host_and_its_addresses(
    listener: PublicListener, tmp_path: Path
) -> None:
    listener = replace(listener, certificate=None, key=None, advertised_host="localhost")
    cluster = replace(new_cluster(1), public=listener)
    ensure_certificates(tmp_path)
    write_public_keystore(tmp_path, cluster)
    pem = public_keystore_file(tmp_path).read_text()
    [certificate, authority] = x509.load_pem_x509_certificates(pem.encode())
    assert {"localhost", "127.0.0.1", "192.0.2.1"} <= set(names_of(certificate))
    certificate.verify_directly_issued_by(authority)
    assert public_authority_file(tmp_path).read_text() == authority_file(tmp_path).read_text()
    # It stays as long as it is good, and another host has one of the same authority.
    ensure_certificates(tmp_path)
    write_public_keystore(tmp_path, cluster)
    assert public_keystore_file(tmp_path).read_text() == pem
    moved = replace(listener, advertised_host="fink.invalid")
    write_public_keystore(tmp_path, replace(cluster, public=moved))
    [other, same] = x509.load_pem_x509_certificates(public_keystore_file(tmp_path).read_bytes())
    assert set(names_of(other)) == {"fink.invalid", "192.0.2.1"}
    assert same == authority
