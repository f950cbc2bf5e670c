"""Our answers beside Dovecot's, to the same messages and the same commands.

Every difference is listed below with its reason; an unlisted one fails, and so does a listed one
that has gone. docs/MIME.md tells more.
"""
from dovecot import Dovecot
from harness import Server
from imapwire import Imap
from test_corpus import all_messages, leaf_parts

FIELDS = ("BODY.PEEK[HEADER.FIELDS (Date From To Cc Subject Message-ID References Content-Type "
          "X-None)]")
NOT_FIELDS = "BODY.PEEK[HEADER.FIELDS.NOT (Received From Content-Type)]"
ITEMS = f"(RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE {FIELDS} {NOT_FIELDS})"

LIMIT = "a limit that outside bytes cannot pass: addresses, parameters, depth, parts"
BOUNDARY_LINE_END = ("RFC 2046 s5.1.1: the line end before a boundary belongs to the boundary; "
                     "Dovecot counts "
                     "it to a message/rfc822 part")
LONG_BOUNDARY = ("RFC 2045 s5.1: a parameter is its whole value; Dovecot cuts a boundary that is "
                 "longer than "
                 "70 bytes, or at a character that wants quotes")
LENIENT_BOUNDARY = ("a boundary that wants quotes and has none is read to its end, so the parts "
                    "are found")
NO_TYPE = "RFC 2045 s5.2: a Content-Type that cannot be parsed is text/plain, not an empty string"
LENIENT_TYPE = "a Content-Type that is broken behind its boundary still gives the parts"
EMPTY_LINE = ("RFC 3501 s6.4.5: the empty line is in all header fetches, except for a message "
              "without a body and "
              "an empty line; Dovecot leaves it out of HEADER.FIELDS.NOT only")
LENIENT_PARAMETER = ("a parameter that is not quoted as it should be is kept as far as it can be "
                     "read")
DATE_BLANKS = "RFC 5322 s2.2: blanks around a folded value are not part of it"

# message: (items that differ, reason)
DIFFERENCES = {
    "only a header": (
        {"BODY[HEADER.FIELDS (DATE FROM TO CC SUBJECT MESSAGE-ID REFERENCES CONTENT-TYPE X-NONE)]"},
        EMPTY_LINE),
    "many addresses": ({"ENVELOPE"}, LIMIT),
    "many parameters": ({"BODY", "BODYSTRUCTURE"}, LIMIT),
    "2231 flood": ({"BODY", "BODYSTRUCTURE"}, LIMIT),
    "nested 400": ({"BODY", "BODYSTRUCTURE"}, LIMIT),
    "many parts": ({"BODY", "BODYSTRUCTURE"}, LIMIT),
    "odd types": ({"BODY", "BODYSTRUCTURE"}, NO_TYPE),
    "message in message": ({"BODY", "BODYSTRUCTURE", "BODY[2]"}, BOUNDARY_LINE_END),
    "mail-gem/attachment_emails/attachment_message_rfc822_inline_image.eml": (
        {"BODY", "BODYSTRUCTURE", "BODY[2]"}, BOUNDARY_LINE_END),
    "mail-gem/error_emails/bad_date_header.eml": ({"ENVELOPE"}, DATE_BLANKS),
    "mail-gem/mime_emails/raw_email_with_binary_encoded.eml": ({"BODY", "BODYSTRUCTURE"},
                                                               LENIENT_BOUNDARY),
    "mail-gem/mime_emails/raw_email_with_illegal_boundary.eml": ({"BODY", "BODYSTRUCTURE"},
                                                                 LENIENT_BOUNDARY),
    "mail-gem/plain_emails/raw_email_bad_time.eml": ({"BODY", "BODYSTRUCTURE"}, LENIENT_BOUNDARY),
    "mail-parser/malformed/016.eml": ({"BODY", "BODYSTRUCTURE", "BODY[2]", "BODY[2.MIME]"},
                                      LONG_BOUNDARY),
    "mail-parser/malformed/017.eml": ({"BODY", "BODYSTRUCTURE", "BODY[1]", "BODY[1.MIME]"},
                                      LENIENT_TYPE),
    "mail-parser/malformed/022.eml": ({"BODY", "BODYSTRUCTURE", "BODY[2]"}, BOUNDARY_LINE_END),
    "mail-parser/rfc/001.eml": ({"BODY", "BODYSTRUCTURE"}, LENIENT_PARAMETER),
    "mail-parser/rfc/008.eml": ({"BODY", "BODYSTRUCTURE", "BODY[2]"}, BOUNDARY_LINE_END),
    "mail-parser/thirdparty/007.eml": ({"BODY", "BODYSTRUCTURE", "BODY[3]"}, BOUNDARY_LINE_END),
    "mail-parser/thirdparty/010.eml": ({"BODYSTRUCTURE"}, LENIENT_PARAMETER),
    "mail-parser/thirdparty/015.eml": ({"BODY", "BODYSTRUCTURE", "BODY[2]", "BODY[3]"},
                                       BOUNDARY_LINE_END),
}


def nul_as_dovecot(value):
    """RFC 3501 s9 has no NUL in a literal: Dovecot sends 0x80 for it, we send the byte that
    came."""
    return value.replace(b"\0", b"\x80") if isinstance(value, bytes) else value


def differences(mine, yours):
    assert mine.keys() == yours.keys(), (mine.keys(), yours.keys())
    return {k: (mine[k], yours[k]) for k in mine if nul_as_dovecot(mine[k]) != yours[k]}


def both(compare, messages):
    """Runs compare on each message; what differs must be what is listed."""
    problems = []
    with Server() as server, Dovecot() as theirs:
        server.account("ann@example.test")
        ours = Imap(server, "ann@example.test")
        for name, message in messages:
            for imap in (ours, theirs):
                assert imap.append("INBOX", message).startswith(b"OK"), name
        assert ours.select("INBOX") == theirs.select("INBOX") == len(messages)
        for number, (name, _) in enumerate(messages, 1):
            listed = DIFFERENCES.get(name, (set(), ""))[0]
            asked, found = compare(number, ours, theirs)
            for key, (mine, yours) in found.items():
                if key not in listed:
                    problems.append(f"{name}: {key}\n   ours   {mine!r:.600}\n"
                                    f"   theirs {yours!r:.600}")
            for key in listed & asked - found.keys():
                problems.append(f"{name}: {key} is listed as different, and is not")
        ours.close()
    assert not problems, "\n".join([f"{len(problems)} differences", *problems])


def compare_items(number, ours, theirs):
    mine, yours = ours.fetch(number, ITEMS), theirs.fetch(number, ITEMS)
    return mine.keys(), differences(mine, yours)


def test_envelope_structure_and_fields():
    both(compare_items, all_messages())


def compare_parts(number, ours, theirs):
    structure = ours.fetch(number, "BODYSTRUCTURE")["BODYSTRUCTURE"]
    asked, found = set(), {}
    for section in [section for section, _, _ in leaf_parts(structure)][:40]:
        items = f"(BODY.PEEK[{section}] BODY.PEEK[{section}.MIME])"
        mine, yours = ours.fetch(number, items), theirs.fetch(number, items)
        asked |= mine.keys()
        found |= differences(mine, yours)
    return asked, found


def test_parts():
    """Beyond the limits of depth and number the parts themselves differ: nothing to compare
    there."""
    both(compare_parts, [m for m in all_messages() if DIFFERENCES.get(m[0], ("", ""))[1] != LIMIT])
