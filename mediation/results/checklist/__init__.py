"""What a report must state (AGReMA)."""

from ._checklist import Checklist as Checklist, ChecklistItem as ChecklistItem, checklist_of as checklist_of
