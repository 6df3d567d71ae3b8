"""Rows of monitors as charts, heat maps, bars and tables: pure, and the same for every service.

chart: what <weir-chart> draws. windows: a column along the windows of a page. lines: any monitor over time. heat,
histogram, curve, matrix, fall: the pictures that are not lines.
"""
