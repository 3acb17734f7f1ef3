"""Creative/Lepu (Viatom) devices that talk in ``AA 55`` frames.

``aa55`` is the framing that they share, ``pc300`` the PC-100/200/300 spot-check boards
built into health kiosks, ``oximeter`` the fingertip oximeters of the PC-60FW kind.
"""
