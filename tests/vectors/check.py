#!/usr/bin/env python3
"""Checks the vector files against docs/PROTOCOL.md without any of the project's code.

It needs Python 3.10 and the package `cryptography` (48 or later, built with an OpenSSL that knows ML-KEM):

    pip install cryptography && python3 tests/vectors/check.py

It reads like the protocol does, so it also serves as the shortest description of one.
"""

import hashlib
import hmac
import pathlib
import sys

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

SIZES = [64, 256, 1024, 4096, 16384, 49152]
checked = 0


# The vector files.


def blocks(file):
    """Each block as {name: value or [values of a name that occurs more than once]}."""
    text = (pathlib.Path(__file__).parent / f"{file}.txt").read_text(encoding="utf-8")
    for block in text.split("\n\n"):
        values = {}
        for line in block.splitlines():
            if line.startswith("#") or not line:
                continue
            name, _, value = line.partition(" =")
            value = parse(name, value.strip())
            values[name] = values[name] + [value] if isinstance(values.get(name), list) else (
                [values[name], value] if name in values else value
            )
        if values:
            yield values


NUMBERS = {
    "bytes_left", "count", "expires", "fresh", "held", "history", "id", "issued", "kind", "leads", "length", "limit", "n",
    "newest_crl_kept", "newest_crl_seen", "not_after", "now", "role", "sent", "shown", "stands", "suite", "text_bytes", "until",
    "until_before", "was_open",
}


def parse(name, value):
    if value.startswith('"'):
        return value[1:-1]
    return int(value) if name in NUMBERS else bytes.fromhex(value)


def check(what, made, stored):
    global checked
    checked += 1
    if made != stored:
        show = lambda value: value.hex() if isinstance(value, bytes) else value
        sys.exit(f"{what}\n  made   {show(made)}\n  stored {show(stored)}")


# PROTOCOL.md §1.


def u(size, number):
    return number.to_bytes(size, "big")


def v8(data):
    return u(1, len(data)) + data


def v16(data):
    return u(2, len(data)) + data


def name(text):
    return v8(text.encode())


def th(*parts):
    return hashlib.sha256(b"".join(u(4, len(part)) + part for part in parts)).digest()


def expand(prk, label, length):
    assert length <= 32
    return hmac.digest(prk, label.encode() + b"\x01", "sha256")[:length]


def extract(salt, key):
    return hmac.digest(salt, key, "sha256")


def sign(seed, label, hashed):
    return Ed25519PrivateKey.from_private_bytes(seed).sign(label.encode() + b"\0" + hashed)


def spki(seed):
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def bytes_of(text, length):
    made = b"".join(hashlib.sha256(text.encode() + u(1, at)).digest() for at in range(length // 32 + 1))
    return made[:length]


# PROTOCOL.md §4.


class Direction:
    def __init__(self, chain, start, pace):
        self.chain, self.counter, self.pace, self.left = chain, int.from_bytes(start, "big"), pace, 0

    def next_key(self):
        if self.left == 0:
            self.key = expand(self.chain, "secchat 1 key", 32)
            self.chain = expand(self.chain, "secchat 1 next", 32)
            self.left = self.pace
        self.left -= 1
        self.counter = (self.counter + 1) % 2**96
        return self.key, u(12, self.counter)

    def seal(self, plaintext):
        key, counter = self.next_key()
        return counter + AESGCM(key).encrypt(counter, plaintext, counter)


# PROTOCOL.md §8.


def chat_plaintext(content):
    size = min(size for size in SIZES if size >= len(content))
    return content + bytes(size - len(content))


# The files.


def check_frames():
    for case in blocks("frame"):
        if "frame" in case:
            check(case["case"], u(2, len(case["body"])) + case["body"], case["frame"])
        elif "refused" in case:
            length = int.from_bytes(case["stream"][:2], "big")
            check(case["case"], not 1 <= length <= case["limit"], True)
        else:
            bodies = [case[f"body_{at}"] for at in (1, 2, 3)]
            stream = b"".join(u(2, len(body)) + body for body in bodies)
            check(case["case"], stream, case["stream"][: -case["bytes_left"]])


def check_link_messages():
    codes = {
        "Available Users, the list goes on": b"\x02\x00", "Available Users, the list ends": b"\x02\x01",
        "Available Users, an empty list": b"\x02\x01", "Available Users, came": b"\x02\x02",
        "Available Users, went": b"\x02\x03", "Refresh, the list only": b"\x0a\x00",
        "Refresh, and its changes": b"\x0a\x01", "Presence, available": b"\x0d\x00",
        "Presence, hidden": b"\x0d\x01", "RTT": b"\x03", "Peer Key": b"\x05", "Response, refuse": b"\x04\x00",
        "Response, accept": b"\x04\x01", "Response, withdraw": b"\x04\x02", "Resume": b"\x10",
        "Key Establishment, M1": b"\x06\x01", "Key Establishment, M2": b"\x06\x02",
        "Key Establishment, M3": b"\x06\x03", "Chat": b"\x09", "Return to Lobby": b"\x0c",
        "Bad Response, not available": b"\x07\x00", "Bad Response, a limit": b"\x07\x01",
        "Acknowledgment": b"\x0b", "Ping": b"\x0e", "Pong": b"\x0f", "Logout, user": b"\x08\x00",
        "Logout, closing": b"\x08\x01", "Logout, replaced": b"\x08\x02", "Logout, removed": b"\x08\x03",
        "Logout, too slow": b"\x08\x04",
    }
    for case in blocks("link_messages"):
        if "refused" in case:
            continue
        what = case["case"]
        made = codes[what.split(", of a key that is none")[0]]
        if what.startswith("Available"):
            names = case.get("name", [])
            names = names if isinstance(names, list) else [names]
            check(what, len(names), case["count"])
            made += u(2, len(names)) + b"".join(name(text) for text in names)
        elif what.startswith("Key Establishment"):
            made = made[:1] + case["chat_id"] + made[1:] + case["body"]
        else:
            made += name(case["name"]) if "name" in case else b""
            made += case.get("chat_id", b"") + case.get("rtt", b"") + case.get("record", b"") + case.get("x", b"")
            made += v16(case["spki"]) if "spki" in case else b""
        check(what, made, case["plaintext"])


def check_login_messages():
    for case in blocks("login_messages"):
        what = case["case"]
        if what == "S1":
            made = b"secchat\x01" + case["nonce_relay"] + v8(case["suites"])
            check(what, made + v16(case["certificate"]) + v16(case["crl"]), case["s1"])
        elif what in ("S2", "S2 with a delegation"):
            made = u(1, case["role"]) + case["nonce_relay"] + u(1, case["suite"]) + v16(case["e"])
            made += case["nonce_user"] + name(case["name"]) + v16(case["delegation"])
            check(what, made, case["s2_without_signature"])
            check(what, made + v16(case["signature"]), case["s2"])
        elif what == "S3":
            made = b"\x01" + case["nonce_user"] + v16(case["c"])
            check(what, made, case["s3_without_signature"])
            check(what, made + v16(case["signature"]), case["s3"])


def check_kdf():
    for case in blocks("kdf"):
        what = case["case"]
        if what == "TH":
            check(what, th(case["part_1"], case["part_2"], case["part_3"]), case["th"])
        elif what == "HKDF-Extract":
            check(what, extract(case["salt"], case["root"] + case["k"]), case["prk"])
        elif what == "chat root":
            check(what, expand(case["prk"], case["label"], 32), case["root"])
        elif "chain_label" in case:
            check(what, expand(case["prk"], f"secchat 1 {what} chain", 32), case["chain"])
            check(what, expand(case["prk"], f"secchat 1 {what} counter", 12), case["start"])
            check(what, expand(case["chain"], "secchat 1 key", 32), case["key"])
            check(what, expand(case["chain"], "secchat 1 next", 32), case["next"])


def check_records():
    for case in blocks("record"):
        what, pace = case["case"], 65536 if case["case"].startswith("link") else 1
        direction = Direction(case["first_chain"], case["start"], pace)
        for _ in range(case["n"] - 1):
            direction.next_key()
        key, counter = direction.next_key()
        check(what, key, case["key"])
        check(what, counter, case["counter"])
        record = counter + AESGCM(key).encrypt(counter, case["plaintext"].encode(), counter)
        check(what, record, case["record"])


def rsa_key(case):
    n, e, d, p, q = (int.from_bytes(case[f"rsa_{number}"], "big") for number in "nedpq")
    public = rsa.RSAPublicNumbers(e, n)
    return rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
    ).private_key()


def check_suites():
    for case in blocks("suites"):
        what = case["case"]
        if "label" in case:
            check(what, case["label"].encode() + b"\0" + case["th"], case["signed"])
        if what.startswith("Ed25519"):
            check(what, spki(case["seed"]), case["spki"])
            check(what, sign(case["seed"], case["label"], case["th"]), case["signature"])
        elif what.startswith("RSA"):
            key = rsa_key(case).public_key()
            check(what, key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), case["spki"])
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            key.verify(case["signature"], case["signed"], pss, hashes.SHA256())
            check(what, len(case["signature"]), key.key_size // 8)
        elif what == "suite 2":
            seed, scalar = split(case["entropy_key"], 64, 32)
            mlkem, x25519 = MLKEM768PrivateKey.from_seed_bytes(seed), X25519PrivateKey.from_private_bytes(scalar)
            public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
            check(what, public, case["e"])
            ciphertext, x25519_public = split(case["c"], 1088, 32)
            check(what, mlkem.decapsulate(ciphertext), case["ss_mlkem"])
            shared = x25519.exchange(X25519PublicKey.from_public_bytes(x25519_public))
            check(what, shared, case["ss_x25519"])
            check(what, case["ss_mlkem"] + shared, case["k"])
        else:
            body, iv, wrapped = split(case["c"], 48, 16, 384)
            oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
            key = rsa_key(case)
            check(what, key.decrypt(wrapped, oaep), case["ek"])
            check(what, iv, case["iv"])
            decryptor = Cipher(algorithms.AES(case["ek"]), modes.CBC(iv)).decryptor()
            check(what, decryptor.update(body) + decryptor.finalize(), case["k"] + bytes([16]) * 16)


def check_ml_kem():
    for case in blocks("ml-kem-768"):
        if "d" in case:
            key = MLKEM768PrivateKey.from_seed_bytes(case["d"] + case["z"]).public_key()
            check(case["case"], key.public_bytes_raw(), case["ek"])


def check_login():
    of = {case["case"]: case for case in blocks("login")}
    who, s1, s2, s3, keys = (of[case] for case in ("who", "S1", "S2", "S3", "keys"))
    made = b"secchat\x01" + s1["nonce_relay"] + v8(s1["suites"]) + v16(who["certificate"]) + v16(who["crl"])
    check("S1", made, s1["s1"])

    nonce_user, seed, scalar = split(s2["entropy_client"], 16, 64, 32)
    mlkem, x25519 = MLKEM768PrivateKey.from_seed_bytes(seed), X25519PrivateKey.from_private_bytes(scalar)
    e = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
    check("S2", e, s2["e"])
    made = u(1, s2["role"]) + s1["nonce_relay"] + u(1, s2["suite"]) + v16(e) + nonce_user
    made += name(who["name_user"]) + v16(b"")
    check("S2", made, s2["s2_without_signature"])
    check("S2", th(s1["s1"], made), s2["th_s2"])
    check("S2", sign(who["seed_user"], "secchat 1 S2", s2["th_s2"]), s2["s2_signature"])
    check("S2", made + v16(s2["s2_signature"]), s2["s2"])

    made = b"\x01" + nonce_user + v16(s3["c"])
    check("S3", made, s3["s3_without_signature"])
    check("S3", th(s1["s1"], s2["s2"], made), s3["th_s3"])
    check("S3", sign(who["seed_relay"], "secchat 1 S3", s3["th_s3"]), s3["s3_signature"])
    check("S3", made + v16(s3["s3_signature"]), s3["s3"])

    ciphertext, x25519_public = split(s3["c"], 1088, 32)
    k = mlkem.decapsulate(ciphertext) + x25519.exchange(X25519PublicKey.from_public_bytes(x25519_public))
    check("keys", k, keys["k"])
    check("keys", th(s1["s1"], s2["s2"], s3["s3"]), keys["salt"])
    check("keys", extract(keys["salt"], k), keys["prk"])
    for whose in ("client", "relay"):
        chain = expand(keys["prk"], f"secchat 1 login {whose} chain", 32)
        start = expand(keys["prk"], f"secchat 1 login {whose} counter", 12)
        check("keys", chain, keys[f"{whose}_chain"])
        check("keys", start, keys[f"{whose}_start"])
        record = of[f"first record of the {whose}"]
        check("record", Direction(chain, start, 65536).seal(record["plaintext"]), record["record"])


def check_delegation():
    of = {case["case"]: case for case in blocks("delegation")}
    who, s1, delegation, s2 = (of[case] for case in ("who", "S1", "delegation", "S2"))
    made = b"secchat\x01" + s1["nonce_relay"] + v8(s1["suites"]) + v16(who["certificate"]) + v16(who["crl"])
    check("S1", made, s1["s1"])

    made = v16(spki(delegation["seed_D"])) + u(8, delegation["not_after"])
    check("delegation", made, delegation["delegation_without_signature"])
    check("delegation", th(name(who["name_user"]) + made), delegation["th_delegation"])
    signature = sign(who["seed_user"], "secchat 1 delegate", delegation["th_delegation"])
    check("delegation", made + v16(signature), delegation["delegation"])

    nonce_user, seed, scalar = split(s2["entropy_client"], 16, 64, 32)
    mlkem, x25519 = MLKEM768PrivateKey.from_seed_bytes(seed), X25519PrivateKey.from_private_bytes(scalar)
    e = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
    made = u(1, s2["role"]) + s1["nonce_relay"] + u(1, s2["suite"]) + v16(e) + nonce_user
    made += name(who["name_user"]) + v16(delegation["delegation"])
    check("S2", made, s2["s2_without_signature"])
    check("S2", th(s1["s1"], made), s2["th_s2"])
    check("S2", made + v16(sign(delegation["seed_D"], "secchat 1 S2", s2["th_s2"])), s2["s2"])

    for case in of.values():
        if "judged" in case:
            stands = judge_s2(who, s1, case["s2"], case["now"])
            check(case["case"], stands, case["judged"] == "logged in")


def judge_s2(who, s1, s2, now):
    """Whether the relay that sent this S1 lets the user of seed_user in."""
    user = load_der_public_key(spki(who["seed_user"]))
    unsigned, signature = s2[:-66], s2[-64:]
    e_bytes = int.from_bytes(s2[18:20], "big")
    rest = unsigned[20 + e_bytes + 16 :]
    user_name, rest = rest[: 1 + rest[0]], rest[1 + rest[0] :]
    delegation = rest[2:]
    signer = user
    try:
        assert s2[1:17] == s1["nonce_relay"] and user_name == name(who["name_user"])
        if delegation:
            assert len(delegation) == 2 + 44 + 8 + 2 + 64
            not_after = int.from_bytes(delegation[46:54], "big")
            assert now < not_after <= now + 7 * 86400
            user.verify(delegation[56:], b"secchat 1 delegate\0" + th(user_name + delegation[:54]))
            signer = load_der_public_key(delegation[2:46])
        signer.verify(signature, b"secchat 1 S2\0" + th(s1["s1"], unsigned))
        return True
    except (AssertionError, InvalidSignature):
        return False


def check_certificates():
    for case in blocks("certificate"):
        usable = usable_crls(case)
        # What is kept does not wait for the certificate's judgement.
        kept = max([case["newest_crl_seen"], *(int(crl.last_update_utc.timestamp()) for crl in usable)])
        check(case["case"], kept, case["newest_crl_kept"])
        try:
            judge_certificate(case, usable)
            stands = 1
        except (AssertionError, ValueError, InvalidSignature):
            stands = 0
        check(case["case"], stands, case["stands"])


def judge_certificate(case, usable):
    ca = x509.load_der_x509_certificate(case["ca_certificate"])
    leaf = x509.load_der_x509_certificate(case["certificate"])
    now = case["now"]
    leaf.verify_directly_issued_by(ca)
    assert leaf.not_valid_before_utc.timestamp() <= now <= leaf.not_valid_after_utc.timestamp()
    extension = lambda of, kind: next((each.value for each in of.extensions if isinstance(each.value, kind)), None)
    purposes = extension(leaf, x509.ExtendedKeyUsage)
    assert purposes is None or x509.ExtendedKeyUsageOID.SERVER_AUTH in purposes
    san = extension(leaf, x509.SubjectAlternativeName) or []
    dns = [each.value.lower() for each in san if isinstance(each, x509.DNSName)]
    addresses = [str(each.value) for each in san if isinstance(each, x509.IPAddress)]
    relay_name = case["relay_name"]
    if dns or addresses:
        assert relay_name in (addresses if relay_name[-1].isdigit() else dns)
    else:
        (common_name,) = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        assert common_name.value.lower() == relay_name
    assert usable
    newest = max(usable, key=lambda crl: crl.last_update_utc)
    assert newest.get_revoked_certificate_by_serial_number(leaf.serial_number) is None


def usable_crls(case):
    ca = x509.load_der_x509_certificate(case["ca_certificate"])
    now = case["now"]
    usable = []
    for data in (case["crl"], case["crl_on_file"]):
        try:
            crl = x509.load_der_x509_crl(data)
            critical = [each for each in crl.extensions if each.critical]
            until = crl.next_update_utc
            assert crl.issuer == ca.subject and crl.is_signature_valid(ca.public_key()) and not critical
            assert case["newest_crl_seen"] <= crl.last_update_utc.timestamp() <= now
            assert until is None or now <= until.timestamp()
            usable.append(crl)
        except (AssertionError, ValueError):
            pass
    return usable


def check_requests():
    first = None
    for case in blocks("request"):
        what = case["case"]
        if "signed_part" in case:
            first = first or case
            check(what, bytes_of("secchat test key alice", 32), case["seed_A"])
            check(what, spki(case["seed_A"]), case["spki_A"])
            made = case["entropy_chat_id"] + u(8, case["issued"]) + u(8, case["expires"])
            made += u(8, case["until"]) + u(2, case["history"])
            check(what, made, case["rtt_without_signature"])
            signed = name(case["name_A"]) + v16(case["spki_A"]) + name(case["name_B"]) + made
            check(what, signed, case["signed_part"])
            check(what, th(signed), case["th"])
            check(what, sign(case["seed_A"], "secchat 1 RTT", th(signed)), case["signature"])
            check(what, made + v16(case["signature"]), case["rtt"])
        elif "now" in case:
            in_time = case["now"] < first["expires"] and first["issued"] <= case["now"] + 300
            check(what, int(in_time), case["shown"])


def succession_signed(user, old, new, issued):
    return th(name(user) + v16(old) + v16(new) + u(8, issued))


def read_chain(data):
    """[(old, new, issued, old_signature, new_signature)], or None where it is malformed."""
    def take(size):
        nonlocal data
        taken, data = data[:size], data[size:]
        if len(taken) < size:
            raise ValueError
        return taken

    part = lambda: take(int.from_bytes(take(2), "big"))
    chain = []
    try:
        while data:
            chain.append((part(), part(), int.from_bytes(take(8), "big"), part(), part()))
    except ValueError:
        return None
    keys = [old for old, *_ in chain] + [new for _, new, *_ in chain[-1:]]
    follows = all(one[1] == two[0] for one, two in zip(chain, chain[1:]))
    return chain if 1 <= len(chain) <= 8 and follows and len(set(keys)) == len(keys) else None


def chain_leads(user, chain, pin, offered):
    begins = [at for at, (old, *_) in enumerate(chain) if old == pin]
    if not begins or chain[-1][1] != offered:
        return False
    return all(
        verifies(key, "secchat 1 succession", succession_signed(user, old, new, issued), signature)
        for old, new, issued, *signatures in chain[begins[0] :]
        for key, signature in zip((old, new), signatures)
    )


def verifies(key, label, hashed, signature):
    key, signed = load_der_public_key(key), label.encode() + b"\0" + hashed
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        else:
            key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def check_successions():
    seeds = {spki(seed): seed for of in ("alice", "alice, the second", "alice, the third")
             for seed in [bytes_of(f"secchat test key {of}", 32)]}
    for case in blocks("succession"):
        what = case["case"]
        if "refused" in case:
            check(what, read_chain(case["chain"]), None)
        elif "leads" in case:
            chain = read_chain(case["chain"])
            leads = chain_leads(case["name"], chain, case["spki_pin"], case["spki_offered"])
            check(what, int(leads), case["leads"])
        else:
            old, new = case["spki_old"], case["spki_new"]
            signed = name(case["name"]) + v16(old) + v16(new) + u(8, case["issued"])
            check(what, signed, case["signed_part"])
            check(what, th(signed), case["th"])
            for key, signature in ((old, case["old_signature"]), (new, case["new_signature"])):
                if key in seeds:
                    check(what, sign(seeds[key], case["label"], case["th"]), signature)
                check(what, verifies(key, case["label"], case["th"], signature), True)
            made = v16(old) + v16(new) + u(8, case["issued"])
            made += v16(case["old_signature"]) + v16(case["new_signature"])
            check(what, made, case["succession"])


def check_key_establishment():
    context = directions = first = None
    for case in blocks("key_establishment"):
        what = case["case"]
        if what == "context":
            context = case
            made = b"secchat 1 chat"
            for side in "AB":
                check(what, spki(case[f"seed_{side}"]), case[f"spki_{side}"])
                made += name(case[f"name_{side}"]) + v16(case[f"spki_{side}"])
            check(what, made + v16(case["rtt"]), case["ctx"])
        elif "m1" in case:
            for message in ("m1", "m2", "m3"):
                check(what, reads_handshake(message.upper(), case[message]), True)
            made_directions = check_handshake(what, context, case)
            first = first if directions else case
            directions = directions or made_directions
        elif "refused" in case:
            check(what, reads_handshake(case["message"], case["bytes"]), False)
        elif "judged" in case:
            check(what, judges_handshake(context, first, case), False)
        elif "record" in case:
            check(what, directions[case["from"]].seal(case["plaintext"]), case["record"])


def reads_handshake(message, data):
    """Whether the bytes are a message of a handshake in which only suite 2 is permitted."""
    at = 0

    def take(size):
        nonlocal at
        assert at + size <= len(data)
        at += size
        return data[at - size : at]

    def number(size):
        return int.from_bytes(take(size), "big")

    try:
        take(16)
        if message == "M1":
            take(16)
            suites = take(number(1))
            assert len(set(suites)) == len(suites) and 2 in suites
        elif message == "M2":
            assert number(1) == 2 and len(take(number(2))) == 1216
            take(16 + 8 + 2)
            assert number(1) in (0, 1) and take(number(2))
        else:
            assert take(number(2)) and take(number(2))
        assert at == len(data)
    except AssertionError:
        return False
    return True


def judges_handshake(context, first, case):
    """Whether M2 stands with A, or M3 with B, after the first handshake's messages."""
    ctx, data = context["ctx"], case["bytes"]
    signer, before = ("B", [first["m1"]]) if case["message"] == "M2" else ("A", [first["m1"], first["m2"]])
    unsigned, signature = data[:-66], data[-64:]
    try:
        key = Ed25519PrivateKey.from_private_bytes(context[f"seed_{signer}"]).public_key()
        signed = f"secchat 1 {case['message']}".encode() + b"\0" + th(ctx, *before, unsigned)
        if case["message"] == "M3":
            assert data[:16] == first["entropy_B"][:16]
            key.verify(signature, signed)
            assert len(unsigned) == 16 + 2 + 1120 and any(unsigned[-32:])
            return True
        nonce_sender, until, history, fresh = data[:16], unsigned[-11:-3], unsigned[-3:-1], unsigned[-1]
        assert nonce_sender == first["entropy_A"]
        key.verify(signature, signed)
        until, history = int.from_bytes(until, "big"), int.from_bytes(history, "big")
        asked_until = int.from_bytes(context["rtt"][32:40], "big")
        asked_history = int.from_bytes(context["rtt"][40:42], "big")
        assert until <= asked_until and history <= asked_history and case["now"] < until
        assert case["until_before"] in (0, until)
        assert fresh == 1 and not case["was_open"] and len(unsigned) == 16 + 1 + 2 + 1216 + 16 + 8 + 2 + 1
        return True
    except (AssertionError, InvalidSignature):
        return False


def check_suite_1():
    rsa_case = next(case for case in blocks("suites") if case["case"] == "suite 1")
    of = {case["case"]: case for case in blocks("suite_1")}
    who, s1, s2, s3, keys, m = (of[case] for case in ("who", "S1", "S2", "S3", "login keys", "M1-M3"))
    made = b"secchat\x01" + s1["nonce_relay"] + v8(s1["suites"]) + v16(who["certificate"]) + v16(who["crl"])
    check("S1", made, s1["s1"])
    made = u(1, s2["role"]) + s1["nonce_relay"] + u(1, s2["suite"]) + v16(rsa_case["e"]) + s2["nonce_user"]
    made += name(who["name_user"]) + v16(b"")
    check("S2", made, s2["s2_without_signature"])
    check("S2", th(s1["s1"], made), s2["th_s2"])
    check("S2", made + v16(sign(who["seed_user"], "secchat 1 S2", s2["th_s2"])), s2["s2"])
    made = b"\x01" + s2["nonce_user"] + v16(rsa_case["c"])
    check("S3", made, s3["s3_without_signature"])
    check("S3", th(s1["s1"], s2["s2"], made), s3["th_s3"])
    check("S3", made + v16(sign(who["seed_relay"], "secchat 1 S3", s3["th_s3"])), s3["s3"])
    check_first_record("login", rsa_case["k"], th(s1["s1"], s2["s2"], s3["s3"]), b"", keys, ("login client", 65536))

    check("M1", m["nonce_sender"] + m["chat_id"] + v8(b"\x01"), m["m1"])
    made = m["nonce_sender"] + b"\x01" + v16(rsa_case["e"]) + m["nonce_receiver"]
    made += u(8, m["until"]) + u(2, m["history"]) + u(1, m["fresh"])
    check("M2", th(m["ctx"], m["m1"], made), m["th_m2"])
    check("M2", made + v16(sign(m["seed_B"], "secchat 1 M2", m["th_m2"])), m["m2"])
    made = m["nonce_receiver"] + v16(rsa_case["c"])
    check("M3", th(m["ctx"], m["m1"], m["m2"], made), m["th_m3"])
    check("M3", made + v16(sign(m["seed_A"], "secchat 1 M3", m["th_m3"])), m["m3"])
    salt = th(m["ctx"], m["m1"], m["m2"], m["m3"])
    check_first_record("chat", rsa_case["k"], salt, bytes(32), m, ("chat receiver", 1))
    check("chat", expand(m["prk"], "secchat 1 chat root", 32), m["new_root"])


def check_first_record(what, k, salt, root, case, direction):
    (label, pace), whose = direction, direction[0].split()[1]
    check(what, k, case["k"])
    check(what, salt, case["salt"])
    check(what, extract(salt, root + k), case["prk"])
    check(what, expand(case["prk"], f"secchat 1 {label} chain", 32), case[f"{whose}_chain"])
    check(what, expand(case["prk"], f"secchat 1 {label} counter", 12), case[f"{whose}_start"])
    first = Direction(case[f"{whose}_chain"], case[f"{whose}_start"], pace)
    check(what, first.seal(case["plaintext"]), case["record"])


def check_handshake(what, context, case):
    ctx, chat_id = context["ctx"], context["rtt"][:16]
    check(what, case["entropy_A"] + chat_id + v8(b"\x02"), case["m1"])
    nonce_receiver, seed, scalar = split(case["entropy_B"], 16, 64, 32)
    mlkem, x25519 = MLKEM768PrivateKey.from_seed_bytes(seed), X25519PrivateKey.from_private_bytes(scalar)
    public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
    check(what, public, case["e"])
    m2 = case["entropy_A"] + b"\x02" + v16(public) + nonce_receiver
    m2 += u(8, case["until"]) + u(2, case["history"]) + u(1, case["fresh"])
    check(what, m2, case["m2_without_signature"])
    check(what, th(ctx, case["m1"], m2), case["th_m2"])
    check(what, sign(context["seed_B"], "secchat 1 M2", case["th_m2"]), case["m2_signature"])
    check(what, m2 + v16(case["m2_signature"]), case["m2"])

    _, scalar = split(case["entropy_A_seal"], 32, 32)
    ciphertext, x25519_public = split(case["c"], 1088, 32)
    check(what, X25519PrivateKey.from_private_bytes(scalar).public_key().public_bytes_raw(), x25519_public)
    m3 = nonce_receiver + v16(case["c"])
    check(what, m3, case["m3_without_signature"])
    check(what, th(ctx, case["m1"], case["m2"], m3), case["th_m3"])
    check(what, sign(context["seed_A"], "secchat 1 M3", case["th_m3"]), case["m3_signature"])
    check(what, m3 + v16(case["m3_signature"]), case["m3"])

    k = mlkem.decapsulate(ciphertext) + x25519.exchange(X25519PublicKey.from_public_bytes(x25519_public))
    check(what, k, case["k"])
    check(what, th(ctx, case["m1"], case["m2"], case["m3"]), case["salt"])
    check(what, extract(case["salt"], case["root_in"] + k), case["prk"])
    if case["fresh"]:
        check(what, bytes(32), case["root_in"])
        check(what, expand(case["prk"], "secchat 1 chat root", 32), case["new_root"])
    directions = {}
    for whose, user in (("sender", "alice"), ("receiver", "bob")):
        check(what, expand(case["prk"], f"secchat 1 chat {whose} chain", 32), case[f"{whose}_chain"])
        check(what, expand(case["prk"], f"secchat 1 chat {whose} counter", 12), case[f"{whose}_start"])
        directions[user] = Direction(case[f"{whose}_chain"], case[f"{whose}_start"], 1)
    return directions


def split(data, *sizes):
    assert len(data) == sum(sizes)
    for size in sizes:
        yield data[:size]
        data = data[size:]


def check_chat_records():
    ends = {"the person": 0, "until": 1, "restored copy": 2, "answer": 3}
    for case in blocks("chat_record"):
        what = case["case"]
        if "text_bytes" in case:
            check(what, len(chat_plaintext(bytes(1 + 8 + 2 + case["text_bytes"]))), case["length"])
        elif "kind" in case:
            made = u(1, case["kind"]) + b"".join(u(8, case[field]) for field in ("id", "sent", "held") if field in case)
            made += v16(case["text"]) if "text" in case else b""
            made += u(1, ends[what.split(", ")[1]]) if what.startswith("End") else b""
            made += u(1, int(what[-1])) + v16(case["body"]) if "body" in case else b""
            check(what, chat_plaintext(made), case["plaintext"])
            check(what, len(case["plaintext"]), case["length"])


def check_safety_numbers():
    halves = {}
    for case in blocks("safety_number"):
        what = case["case"]
        if what.startswith("half"):
            key = v16(case["spki_X"])
            digest = hashlib.sha512(b"secchat 1 safety" + name(case["name_X"]) + key + key).digest()
            check(what, digest, case["h_1"])
            for _ in range(5199):
                digest = hashlib.sha512(digest + key).digest()
            check(what, digest, case["h_5200"])
            groups = [int.from_bytes(digest[at : at + 5], "big") % 100000 for at in range(0, 30, 5)]
            halves[case["name_X"]] = " ".join(f"{group:05}" for group in groups)
            check(what, halves[case["name_X"]], case["digits"])
        else:
            one, other = sorted(what.split(" and "), key=str.encode)
            check(what, f"{halves[one]} {halves[other]}", case["number"])


if __name__ == "__main__":
    for each in (
        check_frames, check_kdf, check_records, check_suites, check_ml_kem, check_certificates, check_login, check_delegation,
        check_login_messages, check_link_messages, check_requests, check_successions, check_key_establishment, check_suite_1,
        check_chat_records, check_safety_numbers,
    ):
        before = checked
        each()
        print(f"{each.__name__.removeprefix('check_').replace('_', ' ')}: {checked - before} values agree")
