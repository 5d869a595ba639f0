# make            build/libdas3.so with its links, build/das3-run with its manual and completions
# make install    what make has built, below PREFIX; DESTDIR goes before it, LIBDIR is lib or lib64
# make uninstall  removes that
# make clean      removes what make has built
#
# SWIFT_BUILD_FLAGS are more options of swift build, such as --jobs 1.
#
# The Swift runtime is linked into both, so that neither needs a Swift installation to run. The
# linker is lld because gold, the default, does not let exports.map hide protected symbols. C and
# C++ are hardened as Debian hardens its packages; Swift checks bounds itself.

PREFIX ?= /usr/local
LIBDIR ?= lib

number  = $(shell awk '$$1 == "#define" && $$2 == "DAS3_$(1)" { print $$3 }' include/das3.h)
VERSION := $(call number,VERSION_MAJOR).$(call number,VERSION_MINOR).$(call number,VERSION_PATCH)
SONAME  := libdas3.so.$(call number,ABI_VERSION)

SCRATCH := .build/make
BUILD   := swift build $(SWIFT_BUILD_FLAGS) -c release --scratch-path $(SCRATCH) \
           --disable-local-rpath -Xswiftc -static-stdlib -Xswiftc -Xclang-linker \
           -Xswiftc -fuse-ld=lld -Xlinker -s \
           -Xcc -fstack-protector-strong -Xcc -D_FORTIFY_SOURCE=2 -Xlinker -z -Xlinker now
EXPORTS := -Xlinker --version-script=Sources/Das3/exports.map -Xlinker -soname=$(SONAME) \
           -Xlinker --no-undefined -Xlinker -z -Xlinker nodelete \
           $(foreach name,malloc calloc realloc posix_memalign malloc_usable_size free, \
             -Xlinker --wrap=$(name))

.PHONY: all library program install uninstall clean

all: library program

library:
	$(BUILD) --product das3 $(EXPORTS)
	install -D $(SCRATCH)/release/libdas3.so build/libdas3.so.$(VERSION)
	ln -sf libdas3.so.$(VERSION) build/$(SONAME)
	ln -sf $(SONAME) build/libdas3.so

program:
	$(BUILD) --product das3-run
	install -D $(SCRATCH)/release/das3-run build/das3-run
	build/das3-run --experimental-dump-help | python3 docs/manual.py $(VERSION) >build/das3-run.1
	for shell in bash zsh fish; do \
	  build/das3-run --generate-completion-script $$shell >build/das3-run.$$shell || exit; done

# Where things go. What make has built is taken as it is, so that root need not have Swift.
root    = $(DESTDIR)$(PREFIX)
lib     = $(root)/$(LIBDIR)
manual  = $(root)/share/man/man1/das3-run.1
bash    = $(root)/share/bash-completion/completions/das3-run
zsh     = $(root)/share/zsh/site-functions/_das3-run
fish    = $(root)/share/fish/vendor_completions.d/das3-run.fish
headers = das3.h das3.hpp
# CMake looks into lib and Debian's lib/x86_64-linux-gnu everywhere, into lib64 only where the
# system has one.
cmake   = $(root)/$(LIBDIR:lib64=lib)/cmake/das3

# The way from LIBDIR up to PREFIX makes das3.pc and das3Config.cmake relocatable.
fill = sed -e 's|@UP@|$(shell realpath -ms --relative-to=/$(LIBDIR) /)|' \
           -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@SONAME@|$(SONAME)|'

install: $(if $(wildcard build/das3-run.1),,all)
	install -D -m 755 build/das3-run $(root)/bin/das3-run
	install -D -m 644 build/libdas3.so.$(VERSION) $(lib)/libdas3.so.$(VERSION)
	ln -sf libdas3.so.$(VERSION) $(lib)/$(SONAME)
	ln -sf $(SONAME) $(lib)/libdas3.so
	install -D -m 644 -t $(root)/include $(headers:%=include/%)
	$(fill) bindings/c/das3.pc.in | install -D -m 644 /dev/stdin $(lib)/pkgconfig/das3.pc
	for file in das3Config.cmake das3ConfigVersion.cmake; do $(fill) bindings/c/$$file.in | \
	  install -D -m 644 /dev/stdin $(cmake)/$$file || exit; done
	install -D -m 644 build/das3-run.1 $(manual)
	install -D -m 644 build/das3-run.bash $(bash)
	install -D -m 644 build/das3-run.zsh $(zsh)
	install -D -m 644 build/das3-run.fish $(fish)

uninstall:
	rm -f $(root)/bin/das3-run $(lib)/libdas3.so.$(VERSION) $(lib)/$(SONAME) $(lib)/libdas3.so \
	  $(headers:%=$(root)/include/%) $(lib)/pkgconfig/das3.pc $(manual) $(bash) $(zsh) $(fish)
	rm -rf $(cmake)

clean:
	rm -rf build $(SCRATCH)

.NOTPARALLEL:
