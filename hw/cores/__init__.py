"""Descriptions of an accelerator for tools that take IP: IP-XACT and FuseSoC.

Both are written into a bundle's rtl/ when it is made; docs/contracts.md says what is in them.
"""
