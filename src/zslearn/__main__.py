"""``python -m zslearn`` is ``zslearn``."""

from zslearn.cli import main

raise SystemExit(main())
