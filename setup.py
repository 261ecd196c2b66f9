"""What pyproject.toml cannot say: a wheel carries the demo's scripts inside the ui package.

Scripts of a Streamlit app stand in `app.py` and `pages/`. Neither name may land at the top of site-packages, where any
other app's would be; `looped app` finds them in `looped_ui/demo/`. An editable install runs them from the checkout.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

DEMO = ("app.py", "pages", ".streamlit", "docs/icon.svg")


class BuildWithDemo(build_py):
    """Build the packages, then copy the demo beside them."""

    def run(self) -> None:
        """Copy `DEMO` to looped_ui/demo/ of the build."""
        super().run()
        if self.editable_mode:
            return
        for name in DEMO:
            target = Path(self.build_lib, "looped_ui", "demo", name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if Path(name).is_dir():
                shutil.copytree(name, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(name, target)


setup(cmdclass={"build_py": BuildWithDemo})
