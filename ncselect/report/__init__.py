"""A ranking as one self-contained HTML file that opens anywhere, without a network.

:func:`~ncselect.report.page.report_page` makes the page, ``ncselect report`` writes it.
"""
