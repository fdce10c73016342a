"""A manifest as Illumina writes it: lines above the table, probes, and controls below."""

MANIFEST = """\
Illumina, Inc.,,,
[Heading],,,
Descriptor File Name,HumanMethylation450.csv,,
Assay Format,Infinium 2,,
[Assay],,,
IlmnID,Name,AddressA_ID,CHR,UCSC_RefGene_Name
cg00000029,cg00000029,14782418,16,RBL2;RBL2;RBL2
cg00000108,cg00000108,12709357,3,C3orf35;MYD88
cg00000109,cg00000109,59755374,3,
cg00000165,cg00000165,12637463,X,tp53
[Controls],,,
21630339,STAINING,-99,DNP(20)
24669308,STAINING,Red,DNP (bkg),DNP (bkg),extra
"""
