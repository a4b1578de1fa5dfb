"""Open a page on which one describes classes and sees what a run's model imagines and recognises.

The page is served on this machine alone and fetches nothing from anywhere. Classes that are added on it live until the
app ends; the run's folder stays as it is. End with Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys

from zslearn.cli.arguments import add_run_argument

NAME = "app"
EXAMPLE = "zslearn app runs/glyphs-skd-s0"
LOOPBACK, PORT = "127.0.0.1", 8642


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn app``."""
    add_run_argument(parser)
    parser.add_argument(
        "--port", type=int, default=PORT, metavar="N", help=f"the port; 0 for any that is free (default: {PORT})"
    )
    parser.add_argument(
        "--host",
        default=LOOPBACK,
        metavar="ADDRESS",
        help=f"the address to listen on; others than {LOOPBACK} let other machines in (default: {LOOPBACK})",
    )
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument(
        "--encoder", metavar="FOLDER", help="where the text encoder for sentences is (default: where it was)"
    )
    parser.add_argument(
        "--backbone", metavar="FOLDER", help="where the backbone for photographs is (default: where it was)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn app``."""
    from zslearn.app.server import AppServer
    from zslearn.errors import require_extra

    require_extra("PIL", "app")
    server = AppServer(arguments.host, arguments.port)
    # What a sentence or a photograph needs is on this machine, or it is missed: a page must not start a download.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with server:
        from zslearn.app.session import Session

        print(f"loading {arguments.run_folder} ...", file=sys.stderr)
        session = Session.open(arguments.run_folder, encoder=arguments.encoder, backbone=arguments.backbone)
        if not server.is_local:
            print("note: everybody who reaches this machine can use the app.", file=sys.stderr)
        print(server.url, flush=True)
        print("End with Ctrl-C.", file=sys.stderr)
        if arguments.open:
            import webbrowser

            webbrowser.open(server.url)
        try:
            server.serve(session)
        except KeyboardInterrupt:
            print("\nended; classes that were added on the page are gone.", file=sys.stderr)
    return 0
