"""``python -m radfusion``."""

from radfusion.cli import main

if __name__ == "__main__":
    main()
