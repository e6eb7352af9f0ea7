"""The road between opening http://shop.example.com/cart and seeing the page."""
