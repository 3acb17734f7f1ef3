"""BLE health devices on a virtual radio: no hardware, no root, byte-true.

``VirtualRadio`` is a room; peripherals are added to it, and a central is taken from it
that a bleak backend (``simulators.ble_backend``) or a raw HCI transport drives.
"""
