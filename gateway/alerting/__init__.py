"""The alert core: rule packs, the pure engine, its keeper, the desk and the routes.

``rules`` and ``packs`` say what is judged, ``repertoire`` what of it runs today;
``samples``, ``conditions``, ``machine``, ``tracks`` and ``engine`` judge without I/O;
``keeper`` and ``ticker`` make the judgement durable; ``desk`` is what people do about
an alert; ``routing`` says who answers for it; ``feed`` and ``publisher`` tell others.
"""
