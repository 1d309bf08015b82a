"""What is said by something that is no S3 at all is no answer about files."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from drillbook.drivers.object_bucket import ObjectBucket
from drillbook.ports import Unreachable

LISTED = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>files</Name><KeyCount>{count}</KeyCount>
<IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"""


@pytest.fixture
def bucket():
    """One whose endpoint answers a listing with this, and any file with `hello`."""
    answer = {"listing": ""}

    class Endpoint(BaseHTTPRequestHandler):
        def do_GET(self):
            body = (answer["listing"] if "list-type" in self.path else "hello").encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_told):
            pass

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def answering(listing):
        answer["listing"] = listing
        return ObjectBucket("us-east-1", f"http://127.0.0.1:{server.server_port}", "files", lambda: "access:secret")

    yield answering
    server.shutdown()
    server.server_close()


def test_files_are_listed_with_their_digests(bucket):
    contents = "<Contents><Key>a.csv</Key><Size>5</Size></Contents>"
    assert bucket(LISTED.format(count=1, contents=contents)).digests() == {
        "a.csv": hashlib.sha256(b"hello").hexdigest()
    }
    assert bucket(LISTED.format(count=0, contents="")).digests() == {}


@pytest.mark.parametrize("page", ["<html><body>Please sign in</body></html>", "<ok/>", ""])
def test_a_page_that_is_no_listing_is_no_empty_bucket(bucket, page):
    with pytest.raises(Unreachable, match=r"the bucket files in us-east-1 .* lists nothing that is a listing"):
        bucket(page).digests()
