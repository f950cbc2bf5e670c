"""Thunderbird without a screen, as a device: it gets its mail by POP3 when it is told to over
Marionette, the remote control of Mozilla's programs (JSON, with its length in front)."""
import json
import os
import shutil
import socket
import subprocess

from harness import Skip, eventually
from popdevices import Device, names_in

START_SECONDS = 120
PREFERENCES = {
    "mail.accountmanager.accounts": "account1",
    "mail.accountmanager.defaultaccount": "account1",
    "mail.account.account1.server": "server1",
    "mail.account.account1.identities": "id1",
    "mail.identity.id1.fullName": "Ann",
    "mail.server.server1.type": "pop3",
    "mail.server.server1.hostname": "127.0.0.1",
    "mail.server.server1.authMethod": 3,   # a password
    "mail.server.server1.socketType": 0,   # in clear
    "mail.server.server1.login_at_startup": False,
    "mail.server.server1.check_new_mail": False,
    "mail.server.server1.directory-rel": "[ProfD]Mail/ann",
    # Nothing that asks, tells or reaches out by itself.
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.spotlight.firstRunDone": True,
    "mail.winsearch.firstRunDone": True,
    "mail.rights.version": 1,
    "mail.shell.checkDefaultClient": False,
    "mailnews.start_page.enabled": False,
    "app.donation.eoy.version.viewed": 999,
    "app.update.enabled": False,
    "extensions.update.enabled": False,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}
KNOW_PASSWORD = """
let login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
let server = "mailbox://127.0.0.1";
login.init(server, null, server, arguments[0], arguments[1], "", "");
return Services.logins.addLoginAsync(login).then(() => true);
"""
GET_MAIL = """
let resolve = arguments[arguments.length - 1];
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
let account = MailServices.accounts.accounts.find(a => a.incomingServer.type == "pop3");
let server = account.incomingServer.QueryInterface(Ci.nsIPop3IncomingServer);
let inbox = server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
server.leaveMessagesOnServer = arguments[0];
MailServices.pop3.GetNewMail(null, {
	OnStartRunningUrl() {},
	OnStopRunningUrl(url, status) { resolve(status); }
}, inbox, server);
"""


class Marionette:
    def __init__(self, port, alive):
        def connect():
            assert alive(), "Thunderbird has ended"
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS)
            except OSError:
                return None
        self.sock = eventually(connect, START_SECONDS)
        self.file = self.sock.makefile("rb")
        self.count = 0
        self.read()
        limits = {"timeouts": {"script": START_SECONDS * 1000}}
        self.ask("WebDriver:NewSession", capabilities={"alwaysMatch": limits})
        self.ask("Marionette:SetContext", value="chrome")

    def read(self):
        size = b""
        while not size.endswith(b":"):
            byte = self.file.read(1)
            assert byte, "Thunderbird has closed the connection"
            size += byte
        return json.loads(self.file.read(int(size[:-1])))

    def ask(self, command, **parameters):
        self.count += 1
        packet = json.dumps([0, self.count, command, parameters]).encode()
        self.sock.sendall(b"%d:%s" % (len(packet), packet))
        _, _, error, result = self.read()
        assert error is None, (command, error)
        return result


class Thunderbird(Device):
    """Told to leave a copy, or to remove what it has got, now and earlier."""

    def __enter__(self):
        program = shutil.which("thunderbird")
        if program is None:
            raise Skip("there is no thunderbird")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        preferences = {**PREFERENCES, "marionette.port": port,
                       "mail.identity.id1.useremail": self.address,
                       "mail.server.server1.userName": self.login,
                       "mail.server.server1.port": self.port(),
                       "mail.server.server1.leave_on_server": True,
                       "mail.server.server1.directory": str(self.folder / "Mail/ann")}
        self.write("user.js", "".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
                                      for name, value in preferences.items()))
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [program, "--headless", "--no-remote", "--profile", self.folder, "--marionette",
                 "--remote-allow-system-access"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "HOME": str(self.folder)})
        try:
            self.control = Marionette(port, lambda: self.process.poll() is None)
            self.control.ask("WebDriver:ExecuteScript", script=KNOW_PASSWORD,
                             args=[self.login, self.password])
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.process.kill()
        self.process.wait()

    def turn(self):
        status = self.control.ask("WebDriver:ExecuteAsyncScript", script=GET_MAIL, args=[self.keep])
        assert status["value"] == 0, status
        self.sessions += 1
        self.got = names_in((self.folder / "Mail/ann/Inbox").read_bytes())
