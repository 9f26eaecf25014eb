"""`python -m deployments.receiver`."""

from __future__ import annotations

import sys

from deployments.receiver.application import main

sys.exit(main())
