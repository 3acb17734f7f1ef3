"""Device families: each module declares a ``SPEC`` and turns a link into events.

What several families need is beside them: ``gatt_session`` (the order of a BLE
conversation), ``device_clock``, ``quantities``, ``thinning`` and ``quirk_values``.
Models and their quirks are rows in ``catalogue``. ``gateway.registry`` lists them.
"""
