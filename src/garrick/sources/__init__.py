"""Loadable code: bundles of packages that are signed, loaded side by side in many versions, and unloaded.

The parts: `manifest` and `container` (what a bundle is), `trust` (who may stand for it), `keys` and `keyring` (where keys are), `build`
and `difference` (how bundles are made and compared), `verify` (all checks, in their order). The pure ones are `manifest`, `container`,
`trust`, `difference` and `verify`: bytes and times come in. Nothing is imported here, so that each user pays for what it needs.
"""
