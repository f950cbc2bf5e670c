"""The command line: directory, passwords, configuration, import and export, exit codes."""
import mailbox
import os
import re
import shutil
import signal
import ssl
import stat
import subprocess
import threading
from pathlib import Path

import harness
from harness import PASSWORD, Server, corpus_files, crlf, eventually
from imapwire import Imap
from messages import hostile_messages, text

LETTER = text("From: ben@example.test", "Subject: x", "Date: Tue, 03 Nov 2026 10:11:12 +0000", "",
              "x")
FAILED, USAGE, DATA_IN_USE, PARTLY = 1, 2, 3, 4


def both_ways(test):
    """The same commands with a server running, and without one."""
    with Server() as server:
        test(server)
    server = Server()
    try:
        server.run("domain", "add", "example.test")
        test(server)
    finally:
        shutil.rmtree(server.folder)


def fails(server, *words, code=FAILED, input=None):
    done = server.run(*words, check=False, input=input)
    assert done.returncode == code, (words, done.returncode, done.stderr)
    assert done.stderr.startswith("postrider: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def check_directory(server):
    server.run("domain", "add", "second.test")
    assert server.run("domain", "list").stdout.split() == ["example.test", "second.test"]
    assert "exists" in fails(server, "domain", "add", "SECOND.test")
    server.run("domain", "remove", "second.test")
    fails(server, "domain", "remove", "second.test")
    server.account("ann@example.test", "ben@example.test", hashed=True)
    fails(server, "account", "add", "ann@example.test", input="x y z\n")
    fails(server, "account", "add", "ann@unknown.test", input="x y z\n")
    fails(server, "account", "add", "not an address", input="x y z\n")
    assert server.run("account", "list").stdout.split() == ["ann@example.test", "ben@example.test"]
    assert "INBOX" in server.run("account", "show", "ann@example.test").stdout
    server.run("account", "disable", "ben@example.test")
    assert "ben@example.test (disabled)" in server.run("account", "list").stdout
    server.run("account", "enable", "ben@example.test")
    server.run("alias", "add", "info@example.test", "ann@example.test", "ben@example.test")
    assert server.run("alias",
                      "list").stdout == "info@example.test -> ann@example.test ben@example.test\n"
    fails(server, "domain", "remove", "example.test")
    server.run("alias", "remove", "info@example.test", "ben@example.test")
    assert server.run("alias", "list").stdout == "info@example.test -> ann@example.test\n"
    server.run("account", "remove", "ann@example.test", "ben@example.test")
    assert server.run("account", "list").stdout == ""
    fails(server, "account", "show", "ann@example.test")


def test_directory():
    both_ways(check_directory)


def can_login(server, address, password):
    try:
        server.imap(address, password).logout()
        return True
    except Exception:
        return False


def test_passwords():
    with Server() as server:
        server.account("ann@example.test", password="first one", hashed=True)
        assert can_login(server, "ann@example.test", "first one")
        server.run("account", "password", "ann@example.test", input="second one\n")
        assert can_login(server, "ann@example.test", "second one")
        assert not can_login(server, "ann@example.test", "first one")
        generated = server.run("account", "password", "--generate",
                               "ann@example.test").stdout.strip()
        assert len(generated) >= 20 and can_login(server, "ann@example.test", generated)
        hashed = subprocess.run(["openssl", "passwd", "-6", "third one"], capture_output=True,
                                text=True,
                                check=True).stdout.strip()
        for spelled in (hashed, "{SHA512-CRYPT}" + hashed, "{CRYPT}" + hashed, "{PLAIN}third one"):
            server.run("account", "password", "--password-hash", spelled, "ann@example.test")
            assert can_login(server, "ann@example.test", "third one"), spelled
        fails(server, "account", "password", "--password-hash", "{WHAT}x", "ann@example.test")
        fails(server, "account", "password", "ann@example.test", input="", code=USAGE)
        server.run("account", "disable", "ann@example.test")
        assert not can_login(server, "ann@example.test", "third one")


def test_an_account_made_again_is_a_new_one():
    """It neither sees the old mail nor misses new mail (both happened elsewhere)."""
    with Server() as server:
        server.account("ann@example.test")
        with server.lmtp() as lmtp:
            lmtp.sendmail("x@y.test", ["ann@example.test"], LETTER)
        server.run("account", "remove", "ann@example.test")
        server.account("ann@example.test", password="another")
        imap = Imap(server, "ann@example.test", "another")
        assert imap.select("INBOX") == 0
        with server.lmtp() as lmtp:
            lmtp.sendmail("x@y.test", ["ann@example.test"], LETTER)
        imap.noop()
        assert b"1 EXISTS" in imap.untagged


def test_usage_errors():
    server = Server()
    try:
        for words in (["nonsense"], ["domain"], ["domain", "add"], ["account", "add"],
                      ["serve", "extra"],
                      ["domain", "add", "x.test", "--mailbox", "y"], ["--nonsense"],
                      ["import", "x"],
                      ["export", "--account", "a@example.test", "--format", "zip", "out"],
                      ["serve", "--listen", "imap"], ["serve", "--listen", "gopher=127.0.0.1:70"]):
            fails(server, *words, code=USAGE)
        help_ = server.run("--help").stdout
        for word in ("serve", "domain add", "account add", "alias add", "import", "export"):
            assert word in help_
        assert re.match(r"postrider \d+\.\d+", server.run("--version").stdout)
    finally:
        shutil.rmtree(server.folder)


def test_second_server_refuses():
    with Server() as server:
        done = subprocess.run(server.command("serve", "--listen", "imap=127.0.0.1:0"),
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == DATA_IN_USE and "another postrider" in done.stderr, done.stderr


def test_port_in_use_is_told():
    with Server() as server:
        done = subprocess.run(
            [*server.command()[:1], "--data", str(server.folder / "other"), "serve", "--listen",
             f"imap=127.0.0.1:{server.ports['imap']}"], capture_output=True, text=True, timeout=60)
        assert done.returncode == FAILED and "in use" in done.stderr, done.stderr


def test_only_the_named_listeners_are_opened():
    with Server(listeners=("imap", "lmtp")) as server:
        inode = Path(f"/proc/{server.process.pid}/fd")
        sockets = {os.readlink(f) for f in inode.iterdir() if os.path.islink(f)}
        listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        mine = {int(f[1].split(":")[1], 16) for f in listening
                if f[3] == "0A" and f"socket:[{f[9]}]" in sockets}
        assert mine == set(server.ports.values()), mine


def test_configuration():
    server = Server(config="[log]\nformat = json\n[limits]\nmessage_size = 100k\nerrors = 3\n")
    with server:
        server.account("ann@example.test")
        assert '"event":"ready"' in server.log()
        assert server.run("config", "check").stdout == "ok\n"
        shown = server.run("config", "show").stdout
        assert "message_size = 100k" in shown and "format = json" in shown
        with server.smtp() as smtp:
            smtp.ehlo()
            assert smtp.esmtp_features["size"] == "102400"
        # What is shown is a configuration that gives the same again.
        again = server.folder / "again.conf"
        again.write_text(shown)
        done = subprocess.run([str(harness.build / "postrider"), "config", "show", "--config",
                               str(again)],
                              capture_output=True, text=True, check=True)
        assert done.stdout == shown



def test_bad_configuration_names_the_line():
    for body, line, word in (("[log]\nlevel = info\nlevle = x\n", 3, "levle"),
                             ("[limits]\n\nmessage_size = big\n", 3, "message_size"),
                             ("[nonsense]\nkey = 1\n", 2, "key"),
                             ("[log]\njust words\n", 2, "key = value"),
                             ("[log]\nlevel = loud\n", 2, "level")):
        server = Server(config=body)
        try:
            message = fails(server, "config", "check", code=USAGE)
            assert f":{line}: " in message and word in message, message
        finally:
            shutil.rmtree(server.folder)


def test_files_are_private():
    with Server() as server:
        for path in (server.data, server.data / "control.sock", server.data / "tls" / "key.pem"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def certificate_changes(server, announce):
    """A new certificate in the old place is in use, without a restart."""
    def shown():
        return ssl.get_server_certificate(("127.0.0.1", server.ports["imaps"]))

    before = shown()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", "/CN=new.test",
                    "-keyout", str(server.data / "tls/key.pem"),
                    "-out", str(server.data / "tls/certificate.pem")], check=True,
                   capture_output=True)
    announce()
    eventually(lambda: shown() != before, seconds=60)


def test_certificate_is_reloaded_on_sighup():
    with Server() as server:
        certificate_changes(server, lambda: server.process.send_signal(signal.SIGHUP))


def test_certificate_is_reloaded_when_it_changes():
    with Server() as server:
        certificate_changes(server, lambda: None)


def test_journald_gets_priorities():
    """journald names its stream by device and inode; then lines begin with a priority, without a
    time."""
    server = Server()
    server.log_path.touch()
    status = server.log_path.stat()
    server.env["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino}"
    with server:
        lines = server.log().splitlines()
        assert lines and all(line.startswith("<6>info ") for line in lines), lines


# --- import and export ---

def odd_messages():
    messages = [m for _, m in hostile_messages()]
    try:
        messages += [crlf(f.read_bytes()) for f in corpus_files()]
    except harness.Skip:
        pass
    return messages


def stored(server, name="INBOX"):
    imap = Imap(server, "ann@example.test")
    n = imap.select(name)
    out = [imap.fetch(i + 1, "(FLAGS INTERNALDATE BODY.PEEK[])") for i in range(n)]
    imap.close()
    return out


def round_trip(format_, out_name, *options):
    """What is exported and imported again is the same, byte for byte."""
    messages = odd_messages()
    with Server() as server:
        server.account("ann@example.test")
        imap = Imap(server, "ann@example.test")
        for i, message in enumerate(messages):
            imap.append("INBOX", message, r"(\Seen \Flagged)" if i % 2 else "()",
                        '"03-Nov-2026 10:11:12 +0000"')
        imap.close()
        out = server.folder / out_name
        server.run("export", "--account", "ann@example.test", *options, "--format", format_,
                   str(out))
        fails(server, "export", "--account", "ann@example.test", *options, "--format", format_,
              str(out))
        server.run("import", "--account", "ann@example.test", "--mailbox", "Again", str(out))
        again = stored(server, "Again")
        assert len(again) == len(messages)
        wanted = sorted(messages)
        got = sorted(item["BODY[]"] for item in again)
        for a, b in zip(wanted, got):
            assert a == b, (a[:300], b[:300])
        if format_ == "maildir":
            assert sum(b"\\Seen" in item["FLAGS"] for item in again) == len(messages) // 2


def test_export_eml_and_back():
    round_trip("eml", "eml", "--mailbox", "INBOX")


def test_export_maildir_and_back():
    round_trip("maildir", "maildir", "--mailbox", "INBOX")


def test_export_mbox_and_back():
    round_trip("mbox", "one.mbox", "--mailbox", "INBOX")


def test_export_of_all_mailboxes():
    with Server() as server:
        server.account("ann@example.test")
        imap = Imap(server, "ann@example.test")
        imap.command('CREATE "Lists/Dev"')
        imap.append("Lists/Dev", LETTER)
        imap.append("INBOX", LETTER)
        imap.close()
        out = server.folder / "out"
        server.run("export", "--account", "ann@example.test", "--format", "maildir", str(out))
        box = mailbox.Maildir(str(out), create=False)
        assert len(box) == 1 and len(box.get_folder("Lists.Dev")) == 1
        server.run("account", "add", "ben@example.test", input=PASSWORD + "\n")
        server.run("import", "--account", "ben@example.test", str(out))
        ben = Imap(server, "ben@example.test")
        assert ben.select("Lists/Dev") == 1 and ben.select("INBOX") == 1


def test_import_of_foreign_formats():
    """mbox and Maildir as Python's mailbox module writes them."""
    with Server() as server:
        server.account("ann@example.test")
        box = mailbox.mbox(str(server.folder / "in.mbox"))
        for i in range(3):
            message = mailbox.mboxMessage(f"Subject: m{i}\nFrom: a@b.test\n\nFrom the start\n"
                                          f">From quoted\n")
            message.set_from("a@b.test", (2026, 11, 3, 10, 11, 12, 1, 307, 0))
            message.set_flags("RO" if i else "O")
            box.add(message)
        box.close()
        server.run("import", "--account", "ann@example.test", "--mailbox", "M",
                   str(server.folder / "in.mbox"))
        items = stored(server, "M")
        assert len(items) == 3
        assert items[0]["BODY[]"].endswith((b"\r\n\r\nFrom the start\r\n>From quoted\r\n",
                                            b"\r\n\r\nFrom the start\r\nFrom quoted\r\n")), \
            items[0]["BODY[]"]
        assert b"\\Seen" in items[1]["FLAGS"] and b"\\Seen" not in items[0]["FLAGS"]
        assert items[0]["INTERNALDATE"].startswith(b" 3-Nov-2026 10:11:12")
        maildir = mailbox.Maildir(str(server.folder / "md"))
        message = mailbox.MaildirMessage("Subject: d\n\nbody\n")
        message.set_subdir("cur")
        message.set_flags("FS")
        maildir.add(message)
        maildir.add_folder("Work.Old").add("Subject: e\n\nbody\n")
        server.run("import", "--account", "ann@example.test", str(server.folder / "md"))
        assert {b"\\Seen", b"\\Flagged"} <= set(stored(server)[0]["FLAGS"])
        assert len(stored(server, "Work/Old")) == 1


def test_import_tells_what_failed():
    with Server(config="[limits]\nmessage_size = 10k\n") as server:
        server.account("ann@example.test")
        folder = server.folder / "in"
        folder.mkdir()
        (folder / "small.eml").write_bytes(LETTER)
        (folder / "big.eml").write_bytes(LETTER + b"x" * 20000)
        done = server.run("import", "--account", "ann@example.test", str(folder), check=False)
        assert done.returncode == PARTLY and "1 imported, 1 failed" in done.stdout, done
        assert len(stored(server)) == 1
        fails(server, "import", "--account", "nobody@example.test", str(folder / "small.eml"))
        fails(server, "import", "--account", "ann@example.test", str(folder / "missing.eml"))


def test_import_while_the_mailbox_is_watched():
    with Server() as server:
        server.account("ann@example.test")
        imap = Imap(server, "ann@example.test")
        imap.select("INBOX")
        imap.wire.send("i IDLE\r\n")
        imap.wire.line()
        (server.folder / "x.eml").write_bytes(LETTER)
        server.run("import", "--account", "ann@example.test", str(server.folder / "x.eml"))
        assert imap.answer() == b"* 1 EXISTS"


def test_commands_at_the_same_time():
    with Server() as server:
        server.account("ann@example.test")
        threads = [threading.Thread(target=server.run, args=(
            "alias", "add", f"a{i}@example.test", "ann@example.test")) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.run("alias", "list").stdout.splitlines()) == 8


def test_every_key_is_in_the_manual():
    manual = (harness.ROOT / "docs/man/postrider.conf.5").read_text()
    words = set(re.findall(r"[a-z0-9_]+", manual))
    table = (harness.ROOT / "src/main/config.def").read_text()
    rows = re.findall(r"^C\((\w+), (\w+),", table, re.M)
    assert len(rows) > 20
    for section, key in rows:
        assert key in words and f"[{section}]" in manual, (section, key)


def test_every_command_and_option_is_in_the_manual():
    manual = (harness.ROOT / "docs/man/postrider.1").read_text().replace("\\-", "-")
    blocks = [[block.split("\n")[1].replace('"', ""), block] for block in manual.split("\n.TP")[1:]]
    server = Server()
    try:
        usages = re.findall(r"^  postrider (.+)$", server.run("--help").stdout, re.M)
    finally:
        shutil.rmtree(server.folder)
    assert len(usages) > 25
    for usage in usages:
        name = re.match(r"[a-z0-9-]+( [a-z0-9-]+)*", usage)[0]
        words = set(name.split())
        found = [block for title, block in blocks if words <= set(re.findall(r"[\w-]+", title))]
        assert found, usage
        for option in re.findall(r"--[a-z-]+", usage):
            assert any(option in block for block in found), (usage, option)
