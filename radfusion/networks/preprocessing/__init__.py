"""From a scan to the pictures that a network sees: planes, crops, windows of intensities, resizing, channels."""

from radfusion.networks.preprocessing.channels import network_input
from radfusion.networks.preprocessing.crops import Crop, crops_of
from radfusion.networks.preprocessing.flips import Flips, flipped
from radfusion.networks.preprocessing.settings import CropSettings
from radfusion.networks.preprocessing.sheets import contact_sheet

__all__ = ["Crop", "CropSettings", "Flips", "contact_sheet", "crops_of", "flipped", "network_input"]
