"""Verbs without a column of their own, and why."""

EXEMPT = {
    "demo": "trains, resumes, scores and predicts on built-in data, which train, resume, val and predict do here",
    "list": "prints names of files; looks at no data and no model",
    "samples": "downloads real data sets; looks at none of the tasks' own",
}
"""A verb that is neither here nor in a column is a hole, which fails."""
