"""For the documentation: a name is described in the module that defines it, and in `looped` if that exports it."""

import griffe


class OwnNames(griffe.Extension):
    """Hide what packages below `looped` export from their own modules, which stand on the same page."""

    def on_package(self, *, pkg: griffe.Module, **_: object) -> None:
        """Forget `__all__` of every package but the first."""
        below = [pkg]
        while below:
            module = below.pop()
            below += [member for member in module.modules.values() if not member.is_alias]
            if module is not pkg:
                module.exports = None
