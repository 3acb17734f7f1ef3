"""Rule packs that come with the product, one JSON file each."""
